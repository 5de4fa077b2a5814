"""S3 requests as botocore would write them, except for their signature. Pure.

Source: Amazon S3 API Reference, the pages of the operations.
"""

from collections.abc import Mapping
from io import BytesIO
from typing import Final, NamedTuple

from botocore.utils import percent_encode

from gateway.store import answers, checksum
from gateway.store.calls import PartPut, Put

_OF_A_PATH: Final = "/~"
"""Characters that stay unescaped in a key, as well as letters, digits, `-`, `.` and `_`."""

_BODILESS: Final = frozenset({"GET", "HEAD"})


class Request(NamedTuple):
    """A request to a bucket; `operation` is its name in S3's API.

    `target` begins with the `/` after the bucket. A body is sent from its beginning.
    """

    operation: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: BytesIO | None = None

    @property
    def length(self) -> int | None:
        """The Content-Length; None for a request that never has a body."""
        if self.body is not None:
            return self.body.getbuffer().nbytes
        return None if self.method in _BODILESS else 0


def put_object(put: Put) -> Request:
    """A PutObject."""
    headers = {answers.METADATA + name: value for name, value in put.metadata.items()}
    if put.crc32c is not None:
        headers[answers.CRC32C] = checksum.to_header(put.crc32c)
    if put.if_none_match is not None:
        headers["If-None-Match"] = put.if_none_match
    if put.if_match is not None:
        headers["If-Match"] = put.if_match
    # aiohttp would send bytes in one piece, and warns if they are large.
    body = BytesIO(put.body) if isinstance(put.body, bytes) else put.body
    return Request("PutObject", "PUT", _path(put.key), headers, body)


def upload_part(part: PartPut) -> Request:
    """An UploadPart."""
    query = f"uploadId={percent_encode(part.upload_id)}&partNumber={part.number}"
    headers = {answers.CRC32C: checksum.to_header(part.crc32c)}
    return Request("UploadPart", "PUT", f"{_path(part.key)}?{query}", headers, part.body)


def get_object(key: str, byte_range: str | None) -> Request:
    """A GetObject."""
    headers = {"Range": byte_range} if byte_range is not None else {}
    return Request("GetObject", "GET", _path(key), headers)


def head_object(key: str, *, checksum: bool) -> Request:
    """A HeadObject."""
    headers = {"x-amz-checksum-mode": "ENABLED"} if checksum else {}
    return Request("HeadObject", "HEAD", _path(key), headers)


def delete_object(key: str) -> Request:
    """A DeleteObject."""
    return Request("DeleteObject", "DELETE", _path(key), {})


def _path(key: str) -> str:
    return f"/{percent_encode(key, safe=_OF_A_PATH)}"
