"""The object store over S3, or any store that speaks its API."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import add_expect_header
from botocore.parsers import ResponseParserError

from gateway.choices import S3ClientName
from gateway.errors import (
    ObjectNotFound,
    ObjectTooLarge,
    PreconditionFailed,
    StoreIncapable,
    StoreUnavailable,
    WriteDisturbed,
)
from gateway.store import answers, checksum, faults, listing
from gateway.store.calls import PartPut, Put
from gateway.store.config import client_config
from gateway.store.direct.calls import open_calls
from gateway.store.objects import (
    Document,
    Multipart,
    ObjectInfo,
    Part,
    StoredPart,
    UnfinishedMultipart,
    Written,
)
from gateway.store.sdk import SdkCalls, headers_of
from gateway.store.silence import SECONDS, Silence
from gateway.telemetry import get_logger

if TYPE_CHECKING:
    from aiobotocore.response import StreamingBody
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.literals import BucketLocationConstraintType
    from types_aiobotocore_s3.type_defs import (
        CompletedPartTypeDef,
        CompleteMultipartUploadRequestTypeDef,
        PartTypeDef,
    )

    from gateway.store.calls import S3Calls

log = get_logger(__name__)

DOCUMENT_LIMIT: Final = 8 * 1024**2
"""The size of the largest object that is read at once; records are far smaller."""

_PART_SECONDS = 0.1
"""Added for each part of a Complete: S3 says that a large one can take several minutes."""

_LONGEST_COMPLETE = 280.0
_CHUNK = 64 * 1024
_PAGE = 1_000
_MOST_DELETED = 1_000
_WRITE_ID = "write-id"
_NOTE = "note"
_DISTURBED_TRIES = 5
_DISTURBED_PAUSE = 0.1
_HOME_REGION = "us-east-1"  # the region that a request to create a bucket must not name


class S3Store:
    """An `ObjectStore` (see there for the contract): one bucket of S3."""

    def __init__(
        self, client: S3Client, calls: S3Calls, presigner: S3Client, bucket: str, region: str
    ) -> None:
        """`calls` are the requests that every upload makes; `client` makes all others.

        `presigner` signs the URLs that clients receive; see `open`.
        """
        self._client = client
        self._calls = calls
        self._presigner = presigner
        self._bucket = bucket
        self._region = region
        self._silence = Silence()

    @classmethod
    @asynccontextmanager
    async def open(  # noqa: PLR0913 - each by its name
        cls,
        *,
        endpoint_url: str | None,
        bucket: str,
        region: str,
        access_key_id: str | None,
        secret_access_key: str | None,
        session_token: str | None = None,
        public_endpoint_url: str | None = None,
        client_name: S3ClientName = S3ClientName.DIRECT,
    ) -> AsyncIterator[S3Store]:
        """A client of the bucket; it sends no request yet.

        Without an endpoint: AWS; without a key: AWS's own chain of credentials. Presigned URLs
        point to `public_endpoint_url`, if clients reach the store by another URL than the gateway
        does.
        """
        session = get_session()
        if access_key_id is not None and secret_access_key is not None:
            session.set_credentials(access_key_id, secret_access_key, session_token)

        async def connect(endpoint: str | None) -> S3Client:
            return await stack.enter_async_context(
                session.create_client(
                    "s3",
                    endpoint_url=endpoint,
                    region_name=region,
                    config=client_config(endpoint),
                )
            )

        async with AsyncExitStack() as stack:
            client = await connect(endpoint_url)
            # A 100 Continue costs each PUT a round trip, and has no timeout.
            client.meta.events.unregister("before-call.s3", add_expect_header)
            client.meta.events.register_first("needs-retry.s3.HeadBucket", _end_redirects)
            listing.read_quickly(client)
            presigner = await connect(public_endpoint_url) if public_endpoint_url else client
            calls: S3Calls = SdkCalls(client, bucket)
            if client_name is S3ClientName.DIRECT:
                calls = await open_calls(client, bucket, await session.get_credentials())
            yield cls(client, calls, presigner, bucket, region)

    async def ensure_bucket(self) -> None:
        """Create the bucket unless it exists. Raises StoreUnavailable."""
        try:
            await self.ping()
        except ObjectNotFound:
            await self._create_bucket()

    async def ping(self) -> None:
        """HeadBucket."""
        async with self._asking():
            await self._client.head_bucket(Bucket=self._bucket)

    async def put(
        self,
        key: str,
        body: bytes | BytesIO,
        *,
        crc32c: int | None = None,
        note: str | None = None,
        if_none_match: bool = False,
        if_match: str | None = None,
    ) -> Written:
        """PutObject."""
        if if_none_match or if_match is not None:
            write_id = str(uuid.uuid4())
            condition = "*" if if_none_match else None
            return await self._put_on_condition(
                Put(key, body, crc32c, {_WRITE_ID: write_id}, condition, if_match), write_id
            )
        metadata = {_NOTE: note} if note is not None else {}
        return await self._put(Put(key, body, crc32c, metadata))

    async def get(self, key: str) -> Document:
        """GetObject, unless it is too large."""
        async with self._asking():
            _, headers, body = await self._calls.get_object(key)
            async with body:
                if answers.size(headers) > DOCUMENT_LIMIT:
                    raise ObjectTooLarge(f"the object has more than {DOCUMENT_LIMIT:,} bytes")
                etag, age = answers.etag(headers), answers.age(headers)
                return Document(await body.read(), etag, age)

    async def read_range(self, key: str, start: int, length: int) -> bytes:
        """GetObject with a Range."""
        return b"".join([chunk async for chunk in self.stream(key, start, start + length)])

    async def stream(self, key: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """GetObject with a Range; yields nothing past the end, where S3 answers 416."""
        if start >= end:
            return
        async with self._asking():
            try:
                found = await self._calls.get_object(key, f"bytes={start}-{end - 1}")
            except ClientError as error:
                if faults.code_of(error) in faults.INVALID_RANGE:
                    return
                raise
        async with found.body:
            with _translated():
                left = answers.range_length(found.status, found.headers, start, end)
            while chunk := await self._next_chunk(found.body):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
            if left != 0:
                raise StoreUnavailable("the store sent fewer or more bytes than it announced")

    async def head(self, key: str) -> ObjectInfo:
        """HeadObject; S3 returns checksums only on request."""
        async with self._asking():
            found = await self._calls.head_object(key, checksum=True)
            return ObjectInfo(
                key=key,
                size=answers.size(found),
                etag=answers.etag(found),
                age=answers.age(found),
                crc32c=checksum.from_header(found.get(answers.CRC32C)),
                note=found.get(answers.METADATA + _NOTE),
            )

    async def delete(self, key: str) -> None:
        """DeleteObject; S3 gives the same answer for a missing key."""
        async with self._asking():
            await self._calls.delete_object(key)

    async def delete_all(self, keys: Sequence[str]) -> None:
        """DeleteObjects, or a DeleteObject for each key if the store has no DeleteObjects."""
        try:
            for start in range(0, len(keys), _MOST_DELETED):
                await self._delete_some(keys[start : start + _MOST_DELETED])
        except StoreIncapable:
            for key in keys:
                await self.delete(key)

    async def _delete_some(self, keys: Sequence[str]) -> None:
        async with self._asking():
            answer = await self._client.delete_objects(
                Bucket=self._bucket,
                Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
            )
        if answer.get("Errors"):
            raise StoreUnavailable("the store has not deleted all objects")

    async def list(
        self, prefix: str, start_after: str | None = None
    ) -> AsyncGenerator[ObjectInfo, None]:
        """ListObjectsV2, each page from the last key of the one before: no token can expire."""
        last, more = start_after or "", True
        while more:
            async with self._asking():
                page = await self._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=prefix, StartAfter=last, MaxKeys=_PAGE
                )
                headers = headers_of(page["ResponseMetadata"])
                listed = [
                    ObjectInfo(
                        found["Key"],
                        found["Size"],
                        found["ETag"],
                        answers.age_at(found["LastModified"], headers),
                    )
                    for found in page.get("Contents", ())
                ]
                before, last = last, listed[-1].key if listed else last
                more = _goes_on(page["IsTruncated"], before, last)
            for info in listed:
                yield info

    async def create_multipart(self, key: str) -> Multipart:
        """CreateMultipartUpload with a checksum of the whole object, if the store supports that."""
        async with self._asking():
            begun = await self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                ChecksumAlgorithm="CRC32C",
                ChecksumType="FULL_OBJECT",
            )
            # A store that knows only checksums of parts does not return the type.
            whole_checksum = begun.get("ChecksumType") == "FULL_OBJECT"
            return Multipart(key, begun["UploadId"], whole_checksum)

    async def upload_part(
        self, multipart: Multipart, number: int, body: BytesIO, crc32c: int
    ) -> Part:
        """UploadPart."""
        async with self._asking(body=_rewound(body)):
            taken = await self._calls.upload_part(
                PartPut(multipart.key, multipart.upload_id, number, body, crc32c)
            )
            return Part(number, answers.etag(taken), crc32c)

    async def complete_multipart(
        self, multipart: Multipart, parts: Sequence[Part], *, size: int, crc32c: int
    ) -> str:
        """CompleteMultipartUpload."""
        request: CompleteMultipartUploadRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": multipart.key,
            "UploadId": multipart.upload_id,
            "MultipartUpload": {"Parts": [_completed(part) for part in parts]},
        }
        if multipart.whole_checksum:
            request["ChecksumType"] = "FULL_OBJECT"
            request["ChecksumCRC32C"] = checksum.to_header(crc32c)
            request["MpuObjectSize"] = size
        async with self._asking(min(len(parts) * _PART_SECONDS, _LONGEST_COMPLETE)):
            return (await self._client.complete_multipart_upload(**request))["ETag"]

    async def abort_multipart(self, key: str, upload_id: str) -> None:
        """AbortMultipartUpload."""
        try:
            async with self._asking():
                await self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload_id
                )
        except ObjectNotFound:
            return

    async def list_multipart_uploads(
        self, prefix: str
    ) -> AsyncGenerator[UnfinishedMultipart, None]:
        """ListMultipartUploads, page by page."""
        key_marker, id_marker, more = "", "", True
        while more:
            async with self._asking():
                page = await self._client.list_multipart_uploads(
                    Bucket=self._bucket,
                    Prefix=prefix,
                    KeyMarker=key_marker,
                    UploadIdMarker=id_marker,
                    MaxUploads=_PAGE,
                )
                headers = headers_of(page["ResponseMetadata"])
                listed = [
                    UnfinishedMultipart(
                        found["Key"],
                        found["UploadId"],
                        answers.age_at(found["Initiated"], headers),
                    )
                    for found in page.get("Uploads", ())
                ]
                before = key_marker, id_marker
                key_marker = page.get("NextKeyMarker", "")
                id_marker = page.get("NextUploadIdMarker", "")
                more = _goes_on(page["IsTruncated"], before, (key_marker, id_marker))
            for upload in listed:
                yield upload

    async def parts(self, multipart: Multipart) -> Sequence[StoredPart]:
        """ListParts."""
        return [part async for part, _ in self._list_parts(multipart.key, multipart.upload_id)]

    async def idle(self, upload: UnfinishedMultipart) -> float:
        """ListParts: the age of the newest part."""
        idle = upload.age
        async for _, age in self._list_parts(upload.key, upload.upload_id):
            idle = min(idle, age)
        return idle

    async def _list_parts(
        self, key: str, upload_id: str
    ) -> AsyncGenerator[tuple[StoredPart, float], None]:
        """ListParts, page by page; each part with its age."""
        marker, more = 0, True
        while more:
            async with self._asking():
                page = await self._client.list_parts(
                    Bucket=self._bucket, Key=key, UploadId=upload_id, PartNumberMarker=marker
                )
                headers, before = headers_of(page["ResponseMetadata"]), marker
                listed = [
                    (_stored(part), answers.age_at(part["LastModified"], headers))
                    for part in page.get("Parts", ())
                ]
                marker = listed[-1][0].number if listed else marker
                more = _goes_on(page["IsTruncated"], before, marker)
            for each in listed:
                yield each

    async def presigned_get(
        self, key: str, *, expires: int, content_type: str, content_disposition: str
    ) -> str:
        """A GetObject signed in the URL's query; no request is sent."""
        with _translated():
            async with asyncio.timeout(SECONDS):
                return await self._presigner.generate_presigned_url(
                    "get_object",
                    Params={
                        "Bucket": self._bucket,
                        "Key": key,
                        "ResponseContentType": content_type,
                        "ResponseContentDisposition": content_disposition,
                    },
                    ExpiresIn=expires,
                )

    async def _create_bucket(self) -> None:
        async with self._asking():
            try:
                if self._region == _HOME_REGION:
                    await self._client.create_bucket(Bucket=self._bucket)
                else:
                    await self._client.create_bucket(
                        Bucket=self._bucket,
                        CreateBucketConfiguration={
                            "LocationConstraint": cast("BucketLocationConstraintType", self._region)
                        },
                    )
            except ClientError as error:
                if faults.code_of(error) not in faults.BUCKET_EXISTS:
                    raise

    async def _put(self, put: Put) -> Written:
        body = put.body
        async with self._asking(body=_rewound(body) if isinstance(body, BytesIO) else None):
            taken = await self._calls.put_object(put)
            return Written(answers.etag(taken), answers.answered(taken).timestamp())

    async def _put_on_condition(self, put: Put, write_id: str) -> Written:
        """Put the object with a write id, by which its writer recognises it if the answer is lost.

        botocore and aiohttp repeat a request that got no answer. The store then refuses the
        repetition because of what the first one wrote.
        """
        try:
            return await self._put_undisturbed(put)
        except PreconditionFailed:
            if (written := await self._find_write(put.key, write_id)) is None:
                raise
            return written
        except ObjectNotFound as error:
            # AWS answers like this to an If-Match on a key without an object.
            raise PreconditionFailed(str(error)) from error

    async def _put_undisturbed(self, put: Put) -> Written:
        """Put the object, and again if the store decides for none of several writers of the key."""
        for turn in range(_DISTURBED_TRIES):
            try:
                return await self._put(put)
            except WriteDisturbed:
                pause = _DISTURBED_PAUSE * 2**turn
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        return await self._put(put)

    async def _find_write(self, key: str, write_id: str) -> Written | None:
        """The object's state, if this very write made it."""
        try:
            async with self._asking():
                found = await self._calls.head_object(key)
                if found.get(answers.METADATA + _WRITE_ID) != write_id:
                    return None
                return Written(answers.etag(found), answers.answered(found).timestamp())
        except ObjectNotFound:
            return None

    @asynccontextmanager
    async def _asking(
        self, more: float = 0.0, body: BytesIO | None = None, *, connected: bool = False
    ) -> AsyncIterator[None]:
        """Limit a call by the store's silence (see there), and translate its errors."""
        with _translated(), faults.readable():
            async with self._silence.call(more, body, connected=connected):
                yield

    async def _next_chunk(self, body: StreamingBody) -> bytes:
        async with self._asking(connected=True):
            return await body.read(_CHUNK)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise our errors instead of botocore's."""
    try:
        yield
    except ClientError as error:
        ours = faults.translated(error)
        if type(ours) is StoreUnavailable:  # the caller distinguishes all others
            _log_answer(error)
        raise ours from error
    except TimeoutError as error:
        raise StoreUnavailable("the store did not answer in time") from error
    except ResponseParserError as error:
        raise StoreUnavailable("the store's answer is not an S3 answer") from error
    except (BotoCoreError, aiohttp.ClientError, OSError) as error:
        raise StoreUnavailable("the store cannot be reached") from error


def _log_answer(error: ClientError) -> None:
    """Log what the store's operator needs to find the request in the store's own logs."""
    metadata = error.response.get("ResponseMetadata", {})
    log.warning(
        "store.error_answered",
        operation=error.operation_name,
        code=faults.code_of(error),
        status=metadata.get("HTTPStatusCode"),
        store_request_id=metadata.get("RequestId"),
        store_host_id=metadata.get("HostId"),
    )


def _end_redirects(
    response: tuple[object, dict[str, Any]] | None, request_dict: dict[str, Any], **_: object
) -> None:
    """Follow no redirect of a HeadBucket that does not name the region.

    botocore would ask for the region with another HeadBucket, and so on for ever.
    """
    if response is None:
        return
    if "x-amz-bucket-region" not in response[1]["ResponseMetadata"]["HTTPHeaders"]:
        request_dict["context"]["s3_redirect"]["redirected"] = True


def _rewound(body: BytesIO) -> BytesIO:
    body.seek(0)
    return body


def _goes_on(more: bool, before: object, after: object) -> bool:  # noqa: FBT001 - the store's
    """Whether a listing has more pages. Raises ResponseParserError if it would begin again."""
    if more and before == after:
        raise ResponseParserError("a listing that does not advance")
    return more


def _stored(part: PartTypeDef) -> StoredPart:
    return StoredPart(
        number=part["PartNumber"],
        etag=part["ETag"],
        size=part["Size"],
        crc32c=checksum.from_header(part.get("ChecksumCRC32C")),
    )


def _completed(part: Part) -> CompletedPartTypeDef:
    return {
        "PartNumber": part.number,
        "ETag": part.etag,
        "ChecksumCRC32C": checksum.to_header(part.crc32c),
    }
