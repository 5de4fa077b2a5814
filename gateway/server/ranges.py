"""The part of a file that a reader asks for, and on which conditions. Pure.

Source: RFC 9110 sections 8.8 (validators), 13.1 (conditions) and 14 (ranges).
"""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


_TAG = re.compile(r'(?:W/)?("[!#-~]*")')


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one content from another: a strong `ETag`, and `Last-Modified`."""

    etag: str
    modified: str

    def hold(self, if_range: str | None) -> bool:
        """Whether a range may be taken: a reader that has another content gets the whole."""
        return if_range is None or if_range.strip() in {self.etag, self.modified}

    def is_known(self, if_none_match: str | None) -> bool:
        """Whether the reader has this content already."""
        if if_none_match is None:
            return False
        return if_none_match.strip() == "*" or self.etag in _TAG.findall(if_none_match)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `start` to `end`, the last one exclusive; `partial` where they are not the whole."""

    start: int
    end: int
    partial: bool

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start


def requested_range(header: str | None, size: int) -> ByteRange | None:
    """The range to answer with, or None where it cannot be satisfied (416).

    No header, another unit, and several ranges at once are answered with the whole, as the RFC
    allows.
    """
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or match.groups() == ("", ""):
        return ByteRange(0, size, partial=False)
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
    return ByteRange(start, end, partial=True) if start < end else None
