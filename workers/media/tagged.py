"""Sound behind ID3 tags, which pictures of covers make large.

Sources: ID3 2.4.0 section 3.1 and 3.4, WHATWG MIME Sniffing section 6.2.
"""

from typing import Final

from gateway.uploads.excerpt import synchsafe
from workers.media.frames import frames_type, mpeg_type
from workers.media.marks import marked_type
from workers.media.reading import Medium, Reading, Span

_HEADER: Final = 10
_FOOTER: Final = 0x10
_MOST_TAGS: Final = 8
_LOOK: Final = 4096
"""Bytes examined after the tags; some writers leave zeros there."""


def read_tagged(size: int) -> Reading:
    """The type of what follows the tags: MPEG audio, unless it says that it is something else.

    Not certain if it was not seen.
    """
    at = 0
    for _ in range(_MOST_TAGS):
        length = tag_length((yield Span(at, _HEADER)))
        if not length:
            break
        at += length
    if not at:
        return None
    wanted = min(_LOOK, max(size - at, 0))
    data = yield Span(at, wanted)
    whole, data = len(data) == wanted, data.lstrip(b"\0")
    kind = mpeg_type(data, frames=1) or marked_type(data)
    if kind is None and whole:
        kind = frames_type(data)
    if kind is None and data.startswith(b"OggS\0"):
        kind = "audio/ogg"
    return Medium(kind or "audio/mpeg", certain=whole or kind is not None)


def tag_length(data: bytes) -> int:
    """Bytes of the tag that begins there; 0 if none does."""
    if len(data) < _HEADER or not data.startswith(b"ID3"):
        return 0
    version, revision, flags, *sizes = data[3:_HEADER]
    if not 2 <= version <= 4 or revision == 0xFF or flags & 0x0F or max(sizes) > 0x7F:
        return 0
    return _HEADER + synchsafe(bytes(sizes)) + (_HEADER if flags & _FOOTER else 0)
