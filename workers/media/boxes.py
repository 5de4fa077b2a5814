"""Boxes of the ISO base media file format, which QuickTime calls atoms.

Source: ISO/IEC 14496-12 section 4.2.
"""

from collections.abc import Generator
from typing import Final, NamedTuple

from workers.media.reading import Span

MOST_BOXES: Final = 256
"""Maximum of boxes examined in search of one; files have some ten on each level."""

_FOUR_CC: Final = frozenset(range(0x20, 0x7F)) | {0xA9}


class Box(NamedTuple):
    """A box: its type, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int


def box_at(at: int, end: int) -> Generator[Span, bytes, Box | None]:
    """The box at an offset of what ends at `end`; None if there is none.

    A box that claims to continue after `end` ends there.
    """
    if at + 8 > end:
        return None
    data = yield Span(at, 16)
    size, kind = int.from_bytes(data[:4]), data[4:8]
    if len(kind) < 4 or not _FOUR_CC.issuperset(kind):
        return None
    header = 8
    if size == 1:
        size, header = int.from_bytes(data[8:16]), 16
    elif size == 0:
        size = end - at
    if len(data) < header or size < header:
        return None
    return Box(kind, min(at + header, end), min(at + size, end))


def find_box(kind: bytes, at: int, end: int) -> Generator[Span, bytes, Box | None]:
    """The first box of that type from an offset on."""
    for _ in range(MOST_BOXES):
        box = yield from box_at(at, end)
        if box is None or box.kind == kind:
            return box
        at = box.end
    return None
