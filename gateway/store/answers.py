"""Reads the headers of S3's answers. Pure.

Every function raises ResponseParserError if the answer is not one that S3 would give.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

from botocore.parsers import ResponseParserError

from gateway.store.calls import Headers

METADATA: Final = "x-amz-meta-"
CRC32C: Final = "x-amz-checksum-crc32c"

_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,20})-(\d{1,20})/(?:\d+|\*)")


def etag(headers: Headers) -> str:
    """The object's version."""
    return _required(headers, "etag")


def size(headers: Headers) -> int:
    """Bytes of the body, or of the object that a HEAD asks for."""
    value = _required(headers, "content-length")
    if not value.isascii() or not value.isdigit():
        raise ResponseParserError(f"no Content-Length: {value!r}")
    return int(value)


def answered(headers: Headers) -> datetime:
    """When the store answered, by its own clock; by this machine's, if it does not say."""
    date = headers.get("date")
    return _read_date(date) if date is not None else datetime.now(UTC)


def age(headers: Headers) -> float:
    """Seconds from the last change of an object to the answer, by the store's clock."""
    return age_at(_read_date(_required(headers, "last-modified")), headers)


def age_at(written: datetime, headers: Headers) -> float:
    """Seconds between a time in the store's answer and the answer itself."""
    return max(0.0, (answered(headers) - written).total_seconds())


def range_length(status: int, headers: Headers, start: int, end: int) -> int:
    """The length of the answer's body, which has the object's bytes from `start` up to `end`.

    A store may answer with the whole object (RFC 9110 section 14.2); that is accepted only if the
    whole object was asked for.
    """
    if status != 206:
        whole = size(headers)
        if start == 0 and whole <= end:
            return whole
        raise ResponseParserError("the answer is not the range that was asked for")
    found = _CONTENT_RANGE.fullmatch(_required(headers, "content-range"))
    first, last = (int(found[1]), int(found[2])) if found is not None else (-1, -1)
    if first != start or not start <= last < end:
        raise ResponseParserError("the answer is not the range that was asked for")
    return last - first + 1


def _required(headers: Headers, name: str) -> str:
    value = headers.get(name)
    if not value:
        raise ResponseParserError(f"an answer without {name}")
    return value


@lru_cache(maxsize=64)
def _read_date(date: str) -> datetime:
    """An HTTP date. Cached, because all answers within one second have the same."""
    try:
        read = parsedate_to_datetime(date)
    except ValueError as error:
        raise ResponseParserError(f"no date: {date!r}") from error
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
