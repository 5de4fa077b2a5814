"""Identifies sound, films and pictures in containers by their brands, tracks and frames.

Pure: `read_medium` asks for the bytes it needs, and its caller has them or reads them. Nothing is
decoded. Types that are not known here are left to libmagic.
"""

from workers.media import matroska, ogg, windows
from workers.media.frames import frames_type
from workers.media.marks import marked_type
from workers.media.matroska import read_matroska
from workers.media.movie import read_movie
from workers.media.ogg import read_ogg
from workers.media.raw import raw_type
from workers.media.reading import (
    MOST_REQUESTS,
    MOST_STEPS,
    REQUEST_BYTES,
    Medium,
    Reading,
    Span,
)
from workers.media.tagged import read_tagged
from workers.media.windows import read_asf

__all__ = [
    "MOST_REQUESTS",
    "MOST_STEPS",
    "REQUEST_BYTES",
    "Medium",
    "Reading",
    "Span",
    "read_medium",
]


def read_medium(head: bytes, size: int) -> Reading:
    """Identify a file of `size` bytes that begins with `head`; None if it is no known medium."""
    if head.startswith(matroska.MAGIC):
        return (yield from read_matroska(size))
    if head.startswith(windows.MAGIC):
        return (yield from read_asf(head, size))
    if head.startswith(ogg.MAGIC):
        return (yield from read_ogg(size))
    if head.startswith(b"ID3"):
        return (yield from read_tagged(size))
    kind = marked_type(head) or raw_type(head) or frames_type(head)
    return Medium(kind) if kind is not None else (yield from read_movie(head, size))
