"""What a relay keeps of a file for its audit."""

import struct
from pathlib import Path

from gateway.delivery.meter import FileMeter
from gateway.multipart import PartBegin, PartData
from gateway.uploads.excerpt import Piece

_CHUNK = 5000


def kept_of(data: bytes) -> list[Piece]:
    """The pieces of a file that a relay keeps."""
    meter = FileMeter(crc32c=False, sha256=False, excerpt=True)
    for at in range(0, len(data), _CHUNK):
        chunk = data[at : at + _CHUNK]
        meter.update(PartData(chunk, 0, len(chunk)))
    return [Piece(0, meter.describe(PartBegin(None, None, None)).head), *meter.pieces()]


def long_movie(tracks: str) -> bytes:
    """An MP4 with these tracks (video, audio, both) behind a megabyte of samples."""
    data = (Path(__file__).parent / "media" / "layouts" / f"{tracks}-last.mp4").read_bytes()
    at = data.index(b"mdat") - 4
    (size,) = struct.unpack_from(">I", data, at)
    more = 1_000_000
    samples = struct.pack(">I", size + more) + data[at + 4 : at + size] + bytes(more)
    return data[:at] + samples + data[at + size :]
