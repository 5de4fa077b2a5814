"""Fonts. Pure. Sources: OpenType 1.9, section "Table directory"; WOFF 1.0 and 2.0; RFC 8081."""

import re
from typing import Final

_FLAVOURS: Final = {
    b"\0\x01\0\0": "font/ttf",
    b"true": "font/ttf",
    b"OTTO": "font/otf",
}
_PACKED: Final = re.compile(rb"wOF(?P<version>[F2])(?:\0\x01\0\0|OTTO|true|typ1|ttcf)")
_COLLECTION: Final = re.compile(rb"ttcf\0[\x01\x02]\0\0\0\0")
_MOST_TABLES: Final = 256


def font_type(head: bytes) -> str | None:
    """The type of font, or None."""
    if (packed := _PACKED.match(head)) is not None:
        return "font/woff" if packed["version"] == b"F" else "font/woff2"
    if _COLLECTION.match(head):
        return "font/collection"
    flavour = _FLAVOURS.get(head[:4])
    return flavour if flavour is not None and _has_tables(head) else None


def _has_tables(head: bytes) -> bool:
    """Whether the first table has a name, and their number is as its logarithms say."""
    tables, search, log = (int.from_bytes(head[at : at + 2]) for at in (4, 6, 8))
    tag = head[12:16]
    return (
        0 < tables < _MOST_TABLES
        and len(tag) == 4
        and all(0x20 <= byte < 0x7F for byte in tag)
        and (log == tables.bit_length() - 1 or search == 0)
    )
