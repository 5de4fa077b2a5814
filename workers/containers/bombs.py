"""Archive bombs, by the sizes that archives declare.

Nothing is unpacked to find out but the first bytes of a gzip file that declares such a size.
"""

import struct
import zlib
from typing import Final

BOMB_BYTES: Final = 1024**3
BOMB_RATIO: Final = 100
"""Ratio of unpacked to packed size of a bomb above BOMB_BYTES; that of text is about 20."""

GZIP: Final = b"\x1f\x8b\x08"
_GZIP_WINDOW: Final = zlib.MAX_WBITS | 16
_MOST_RATIO: Final = 1032
"""Deflate's limit: 258 bytes in two bits (RFC 1951 section 3.2.5)."""


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether `packed` bytes declare more than any user could want to unpack from them."""
    return unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * packed


def is_gzip_bomb(head: bytes, tail: bytes, packed: int) -> bool:
    """Whether a gzip file of `packed` bytes unpacks to an absurd size.

    Its last four bytes are a size (RFC 1952 section 2.3.1, modulo 4 GiB) only if its last member
    ends there. In a file that was cut, padded or appended to, they can be anything: then
    they are more than deflate can pack (RFC 1951), or the file does not begin as one that packs so
    well.
    """
    if len(tail) < 4:
        return False
    (size,) = struct.unpack("<I", tail[-4:])
    return is_bomb(size, packed) and size <= _MOST_RATIO * packed and _packs_well(head)


def _packs_well(head: bytes) -> bool:
    """Whether the first bytes unpack to so much that all of the file may."""
    most = BOMB_RATIO * len(head)
    try:
        return len(zlib.decompressobj(_GZIP_WINDOW).decompress(head, most)) == most
    except zlib.error:
        return False
