"""The calls of S3 that every upload makes, whichever client makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from io import BytesIO

    from aiobotocore.response import StreamingBody

Headers: TypeAlias = Mapping[str, str]
"""The headers of an answer, by their names in lower case."""


@dataclass(frozen=True, slots=True)
class Put:
    """A PutObject: `if_none_match` is `*` or None, `if_match` an ETag or None."""

    key: str
    body: bytes | BytesIO
    crc32c: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    if_none_match: str | None = None
    if_match: str | None = None


class PartPut(NamedTuple):
    """An UploadPart."""

    key: str
    upload_id: str
    number: int
    body: BytesIO
    crc32c: int


class Fetched(NamedTuple):
    """The answer to a GetObject; closing `body` gives its connection back."""

    status: int
    headers: Headers
    body: StreamingBody


class S3Calls(Protocol):
    """Calls in one bucket.

    Each raises ClientError if the store answers with an error, and BotoCoreError,
    aiohttp.ClientError or OSError if no answer arrives. An answer that S3 would not give may break
    botocore's parsers, with ResponseParserError or any other exception (see `faults.readable`).
    """

    async def put_object(self, put: Put) -> Headers:
        """Send the body from its beginning."""

    async def upload_part(self, part: PartPut) -> Headers:
        """Send the body from its beginning."""

    async def get_object(self, key: str, byte_range: str | None = None) -> Fetched:
        """Begin to read the object, or the given Range of it; the caller reads the body."""

    async def head_object(self, key: str, *, checksum: bool = False) -> Headers:
        """Ask for the object's headers; for its checksum only if `checksum` is set."""

    async def delete_object(self, key: str) -> None:
        """Delete the object, if there is one."""
