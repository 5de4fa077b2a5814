"""What the scanner reports: a part begins, some of its bytes, it ends."""

from typing import TypeAlias

import msgspec


class PartBegin(msgspec.Struct, frozen=True):
    """A part's headers are complete.

    `name` and `filename` are decoded as UTF-8, invalid byte sequences as U+FFFD, and are not made
    safe. `escaped`: a backslash in the filename belongs to the name, and separates no path.
    `written` is the Content-Disposition, empty if its filename can only be read as it is written.
    """

    name: str | None
    filename: str | None
    content_type: str | None
    escaped: bool = False
    written: bytes = b""


class PartData(msgspec.Struct, frozen=True):
    """Bytes `start` to `end` of `chunk` are the part's; never empty."""

    chunk: bytes
    start: int
    end: int

    @property
    def data(self) -> bytes:
        """The part's bytes; a chunk that belongs to one part as a whole is not copied."""
        return self.chunk[self.start : self.end]


class PartEnd(msgspec.Struct, frozen=True):
    """A delimiter ended the part, which had `size` bytes."""

    size: int


Event: TypeAlias = PartBegin | PartData | PartEnd
