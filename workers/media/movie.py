"""MP4, 3GP, QuickTime and their like: by their brands, and by the handlers of their tracks.

Sources: ISO/IEC 14496-12 sections 8.3 and 8.4, Apple's QuickTime File Format Specification.
"""

from collections.abc import Generator
from typing import Final, NamedTuple

from workers.media.boxes import Box, box_at, find_box
from workers.media.brands import MP4, QUICKTIME, Family, brands_of, family_of, picture_of
from workers.media.reading import Medium, Reading, Span

_MOST_TRACKS: Final = 32
_ENABLED: Final = 1
_PICTURES: Final = frozenset({b"vide", b"auxv", b"pict"})
_TEXTS: Final = frozenset({b"text", b"sbtl", b"subt"})
_SOUND: Final = b"soun"
_ATOMS: Final = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""The first atoms of a QuickTime film without brands."""


class Track(NamedTuple):
    """A track: its handler, and whether players play it unasked."""

    handler: bytes
    enabled: bool


def read_movie(head: bytes, size: int) -> Reading:
    """Identify a file that begins with a box of brands or a QuickTime atom."""
    brands = brands_of(head)
    if not brands:
        return (yield from _unbranded(head, size))
    if (picture := picture_of(brands)) is not None:
        return Medium(picture)
    family = family_of(brands)
    if head[4:8] == b"styp":
        # A segment has no tracks of its own (ISO/IEC 23009-1 section 6.3.4).
        return Medium("video/iso.segment", certain=False) if family else None
    movie = yield from find_box(b"moov", 0, size)
    if movie is None:
        return family.undecided if family else None
    return (yield from _by_tracks(family or MP4, movie))


def _unbranded(head: bytes, size: int) -> Reading:
    """Films from before there were brands. Any text may have the name of an atom: ask for one."""
    if head[4:8] not in _ATOMS:
        return None
    movie = yield from find_box(b"moov", 0, size)
    if movie is None:
        return None
    inner = yield from box_at(movie.start, movie.end)
    if inner is None or inner.kind not in (b"mvhd", b"cmov", b"rmra", b"trak", b"udta", b"iods"):
        return None
    return (yield from _by_tracks(QUICKTIME, movie))


def _by_tracks(family: Family, movie: Box) -> Reading:
    tracks: list[Track] = []
    at = movie.start
    for _ in range(_MOST_TRACKS):
        if movie.end - at < 8:
            return _decided(family, tracks)
        box = yield from box_at(at, movie.end)
        if box is None:
            break
        at = box.end
        if box.kind != b"trak":
            continue
        track = yield from _track(box)
        if track is None:
            break
        tracks.append(track)
        if track.enabled and track.handler in _PICTURES:
            return Medium(family.video)
    return family.undecided


def _decided(family: Family, tracks: list[Track]) -> Medium:
    """By all tracks. Those that are not enabled count if none is (ISO/IEC 14496-12 8.3.1)."""
    handlers = {track.handler for track in tracks if track.enabled}
    handlers = handlers or {track.handler for track in tracks}
    if not handlers:
        return family.undecided
    if handlers & _PICTURES or (family.text_is_picture and handlers & _TEXTS):
        return Medium(family.video)
    return Medium(family.audio if _SOUND in handlers else family.neither)


def _track(box: Box) -> Generator[Span, bytes, Track | None]:
    header = yield from find_box(b"tkhd", box.start, box.end)
    media = yield from find_box(b"mdia", box.start, box.end)
    if header is None or media is None:
        return None
    handler = yield from find_box(b"hdlr", media.start, media.end)
    if handler is None:
        return None
    name = (yield Span(handler.start, 12))[8:12]
    flags = (yield Span(header.start, 4))[3:]
    return Track(name, bool(flags[0] & _ENABLED)) if len(name) == 4 and flags else None
