"""The first bytes of an entry's content, as far as they are at hand."""

import zlib
from collections.abc import Iterable
from typing import Final

from gateway.uploads.excerpt import Piece
from workers.containers.entries import ZipEntry

CONTENT_BYTES: Final = 64 * 1024
"""Of one entry, packed and unpacked."""

_STORED, _DEFLATED = 0, 8


def content_of(own: ZipEntry, pieces: Iterable[Piece]) -> bytes:
    """The first bytes of the content of the entry with this local header; empty if unreadable."""
    start = own.offset + own.length
    size = min(own.packed or CONTENT_BYTES, CONTENT_BYTES)  # the size may follow the content
    known = (
        piece.data[start - piece.start :][:size]
        for piece in pieces
        if piece.start <= own.offset < piece.end
    )
    return _unpacked(own, max(known, key=len, default=b""))


def _unpacked(entry: ZipEntry, data: bytes) -> bytes:
    if entry.encrypted:
        return b""
    if entry.method == _STORED:
        return data
    if entry.method != _DEFLATED:
        return b""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, CONTENT_BYTES)
    except zlib.error:
        return b""
