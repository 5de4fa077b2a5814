"""The one byte range that a reader may ask for (RFC 9110 section 14). Pure."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


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
