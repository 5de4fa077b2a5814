"""ASF, which Windows Media files are, by the types of its streams.

Source: Microsoft, Advanced Systems Format Specification 1.20, sections 2, 3.1, 3.3 and 10.
"""

import uuid
from typing import Final

from workers.media.reading import Medium, Reading, Span


def _guid(text: str) -> bytes:
    return uuid.UUID(text).bytes_le


MAGIC: Final = _guid("75B22630-668E-11CF-A6D9-00AA0062CE6C")

_STREAM: Final = _guid("B7DC0791-A9B7-11CF-8EE6-00C00C205365")
_EXTENSION: Final = _guid("5FBF03B5-A92E-11CF-8EE3-00C00C205365")
_EXTENDED_STREAM: Final = _guid("14E6A5CB-C672-4332-8399-A96952065B5A")
_AUDIO: Final = _guid("F8699E40-5B4D-11CF-A8FD-00805F5C442B")
_PICTURES: Final = frozenset(
    {
        _guid("BC19EFC0-5B4D-11CF-A8FD-00805F5C442B"),  # video
        _guid("B61BE100-5B4E-11CF-A8FD-00805F5C442B"),  # JFIF
        _guid("35907DE0-E415-11CF-A917-00805F5C442B"),  # degradable JPEG
    }
)
_HEADER: Final = 30
_OBJECT: Final = 24
_STREAM_FIELDS: Final = 54
_MOST_OBJECTS: Final = 128

_UNDECIDED: Final = Medium("video/x-ms-asf", certain=False)


def read_asf(head: bytes, size: int) -> Reading:
    """Find out whether the file has video, or only sound."""
    end = min(int.from_bytes(head[16:24], "little"), size)
    kinds: set[bytes] = set()
    at = _HEADER
    for _ in range(_MOST_OBJECTS):
        if end - at < _OBJECT:
            return Medium("audio/x-ms-wma") if _AUDIO in kinds else _UNDECIDED
        data = yield Span(at, _OBJECT + _STREAM_FIELDS)
        length = int.from_bytes(data[16:24], "little")
        if len(data) < _OBJECT or length < _OBJECT:
            return _UNDECIDED
        if data.startswith(_STREAM):
            kinds.add(data[24:40])
        if not _PICTURES.isdisjoint(kinds):
            return Medium("video/x-ms-wmv")
        at += length
    return _UNDECIDED
