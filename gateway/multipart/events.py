"""What the scanner tells: a part begins, some of its bytes, it ends."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part's headers are complete.

    `name` and `filename` are decoded as UTF-8, an invalid byte sequence as U+FFFD, and are not
    made safe. `headers` are in order, their names in lower case, their values as they came.
    """

    name: str | None
    filename: str | None
    content_type: str | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class PartData:
    """Bytes `start` to `end` of `chunk` are the part's; never empty."""

    chunk: bytes
    start: int
    end: int

    @property
    def data(self) -> bytes:
        """The part's bytes; a chunk that is all of one part is not copied."""
        return self.chunk[self.start : self.end]


@dataclass(frozen=True, slots=True)
class PartEnd:
    """A delimiter has ended the part, which had `size` bytes."""

    size: int


Event: TypeAlias = PartBegin | PartData | PartEnd
