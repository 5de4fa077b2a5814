"""The S3 calls, made by aiobotocore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store import checksum
from gateway.store.calls import Fetched, Headers, PartPut, Put

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import (
        GetObjectRequestTypeDef,
        HeadObjectRequestTypeDef,
        PutObjectRequestTypeDef,
        ResponseMetadataTypeDef,
    )


class SdkCalls:
    """`S3Calls` (see there) by aiobotocore's client."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        """The caller closes the client."""
        self._client = client
        self._bucket = bucket

    async def put_object(self, put: Put) -> Headers:
        """PutObject."""
        request: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": put.key,
            "Body": put.body,
            "Metadata": put.metadata,
        }
        if put.crc32c is not None:
            request["ChecksumCRC32C"] = checksum.to_header(put.crc32c)
        if put.if_none_match is not None:
            request["IfNoneMatch"] = put.if_none_match
        if put.if_match is not None:
            request["IfMatch"] = put.if_match
        return headers_of((await self._client.put_object(**request))["ResponseMetadata"])

    async def upload_part(self, part: PartPut) -> Headers:
        """UploadPart."""
        taken = await self._client.upload_part(
            Bucket=self._bucket,
            Key=part.key,
            UploadId=part.upload_id,
            PartNumber=part.number,
            Body=part.body,
            ChecksumCRC32C=checksum.to_header(part.crc32c),
        )
        return headers_of(taken["ResponseMetadata"])

    async def get_object(self, key: str, byte_range: str | None = None) -> Fetched:
        """GetObject."""
        request: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": key}
        if byte_range is not None:
            request["Range"] = byte_range
        found = await self._client.get_object(**request)
        metadata = found["ResponseMetadata"]
        return Fetched(metadata["HTTPStatusCode"], headers_of(metadata), found["Body"])

    async def head_object(self, key: str, *, checksum: bool = False) -> Headers:
        """HeadObject."""
        request: HeadObjectRequestTypeDef = {"Bucket": self._bucket, "Key": key}
        if checksum:
            request["ChecksumMode"] = "ENABLED"
        return headers_of((await self._client.head_object(**request))["ResponseMetadata"])

    async def delete_object(self, key: str) -> None:
        """DeleteObject."""
        await self._client.delete_object(Bucket=self._bucket, Key=key)


def headers_of(metadata: ResponseMetadataTypeDef) -> Headers:
    """The headers of an answer, as botocore has parsed it."""
    return metadata["HTTPHeaders"]
