"""Archive bombs, by the sizes that archives declare. Nothing is unpacked to find out."""

import struct
from typing import Final

BOMB_BYTES: Final = 1024**3
BOMB_RATIO: Final = 100
"""More than BOMB_BYTES, and more than so many times what is packed: text gets to some 20 times."""

GZIP: Final = b"\x1f\x8b\x08"


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether `packed` bytes declare more than anybody could want to unpack from them."""
    return unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * packed


def gzip_weight(head: bytes, tail: bytes) -> int | None:
    """What a gzip file says it unpacks to, modulo 4 GiB; None for others (RFC 1952 section 2.3.1).

    Of a file of several members it is the last one's.
    """
    if not head.startswith(GZIP) or len(tail) < 4:
        return None
    (size,) = struct.unpack("<I", tail[-4:])
    return int(size)
