"""Matroska and WebM, by the types of their tracks.

Sources: RFC 8794 sections 4 to 6 (EBML), RFC 9559 sections 5.1.1, 5.1.4 and 27.3, the WebM
container guidelines.
"""

from collections.abc import Generator
from typing import Final, NamedTuple

from workers.media.reading import Medium, Reading, Span

MAGIC: Final = b"\x1a\x45\xdf\xa3"

_DOC_TYPE: Final = 0x4282
_SEGMENT: Final = 0x18538067
_SEEK_HEAD: Final = 0x114D9B74
_SEEK: Final = 0x4DBB
_SEEK_ID: Final = 0x53AB
_SEEK_POSITION: Final = 0x53AC
_CLUSTER: Final = 0x1F43B675
_TRACKS: Final = 0x1654AE6B
_TRACK_ENTRY: Final = 0xAE
_TRACK_TYPE: Final = 0x83

_VIDEO: Final = frozenset({1, 3})  # 3: complex, which has both
_AUDIO: Final = 2
_MOST_ELEMENTS: Final = 256
_LONGEST_HEADER: Final = 12

_NAMES: Final = {b"webm": ("video/webm", "audio/webm")}
_NAMES[b"matroska"] = ("video/matroska", "audio/matroska")


class Element(NamedTuple):
    """An element: its ID, and where its content begins and ends; `sized` if it says so itself."""

    kind: int
    start: int
    end: int
    sized: bool


def read_matroska(size: int) -> Reading:
    """Identify an EBML document; None if it is not Matroska."""
    header = yield from _element(0, size)
    if header is None:
        return None
    doc_type = yield from _find(_DOC_TYPE, header.start, header.end)
    if doc_type is None:
        return None
    name = yield Span(doc_type.start, min(16, doc_type.end - doc_type.start))
    video, audio = _NAMES.get(name.rstrip(b"\0"), (None, None))
    if video is None or audio is None:
        return None
    tracks = yield from _tracks(header.end, size)
    kinds = (yield from _kinds(tracks)) if tracks is not None else None
    if kinds is not None and _VIDEO & kinds:
        return Medium(video)
    return Medium(audio) if kinds is not None and _AUDIO in kinds else Medium(video, certain=False)


def _tracks(at: int, size: int) -> Generator[Span, bytes, Element | None]:
    """The element of tracks: usually before the first cluster, else where the index has it."""
    segment = yield from _find(_SEGMENT, at, size)
    if segment is None:
        return None
    at, indexed = segment.start, None
    for _ in range(_MOST_ELEMENTS):
        element = yield from _element(at, segment.end)
        if element is None or element.kind == _TRACKS:
            return element
        if element.kind == _SEEK_HEAD and indexed is None:
            indexed = yield from _position_of_tracks(element)
        if element.kind == _CLUSTER and indexed is not None:
            found = yield from _element(segment.start + indexed, segment.end)
            return found if found is not None and found.kind == _TRACKS else None
        if not element.sized:
            return None
        at = element.end
    return None


def _position_of_tracks(index: Element) -> Generator[Span, bytes, int | None]:
    at = index.start
    for _ in range(_MOST_ELEMENTS):
        seek = yield from _find(_SEEK, at, index.end)
        if seek is None:
            return None
        kind = yield from _number(_SEEK_ID, seek)
        if kind == _TRACKS:
            return (yield from _number(_SEEK_POSITION, seek))
        at = seek.end
    return None


def _kinds(tracks: Element) -> Generator[Span, bytes, frozenset[int] | None]:
    """The types of tracks, up to the first that is video; None if not all were seen."""
    kinds: set[int] = set()
    at = tracks.start
    for _ in range(_MOST_ELEMENTS):
        if at >= tracks.end:
            return frozenset(kinds)
        element = yield from _element(at, tracks.end)
        if element is None or not element.sized:
            return None
        at = element.end
        if element.kind == _TRACK_ENTRY:
            kind = yield from _number(_TRACK_TYPE, element)
            if kind is None:
                return None
            kinds.add(kind)
            if kind in _VIDEO:
                return frozenset(kinds)
    return None


def _number(kind: int, parent: Element) -> Generator[Span, bytes, int | None]:
    """The value of an element that is an unsigned integer."""
    element = yield from _find(kind, parent.start, parent.end)
    if element is None or not 0 < element.end - element.start <= 8:
        return None
    data = yield Span(element.start, element.end - element.start)
    return int.from_bytes(data) if len(data) == element.end - element.start else None


def _find(kind: int, at: int, end: int) -> Generator[Span, bytes, Element | None]:
    for _ in range(_MOST_ELEMENTS):
        element = yield from _element(at, end)
        if element is None or element.kind == kind:
            return element
        if not element.sized:
            return None
        at = element.end
    return None


def _element(at: int, end: int) -> Generator[Span, bytes, Element | None]:
    """The element at an offset of what ends at `end`; one without a size ends there, too."""
    if at >= end:
        return None
    data = yield Span(at, _LONGEST_HEADER)
    width = _width(data)
    if not 1 <= width <= 4 or len(data) <= width:
        return None
    kind, rest = int.from_bytes(data[:width]), data[width:]
    length = _width(rest)
    if not 1 <= length <= 8 or len(rest) < length:
        return None
    value = int.from_bytes(rest[:length]) & ((1 << 7 * length) - 1)
    start = min(at + width + length, end)
    sized = value != (1 << 7 * length) - 1
    return Element(kind, start, min(start + value, end) if sized else end, sized)


def _width(data: bytes) -> int:
    """How many bytes a number has, by its first one; 0 if none."""
    return 9 - data[0].bit_length() if data and data[0] else 0
