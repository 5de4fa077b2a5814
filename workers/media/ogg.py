"""Ogg, by the codecs of its streams.

Sources: RFC 3533 section 6, RFC 5334 section 4 and Xiph's list of codecs.
"""

from typing import Final

from workers.media.reading import Medium, Reading, Span

MAGIC: Final = b"OggS\0"

_BEGINS: Final = 0x02
_MOST_STREAMS: Final = 32
_LACING: Final = 27
_NAME: Final = 9
_SOUNDS: Final = (
    b"\x01vorbis",
    b"OpusHead",
    b"Speex   ",
    b"\x7fFLAC",
    b"fLaC",
    b"PCM     ",
    b"CELT    ",
)
_PICTURES: Final = (b"\x80theora", b"BBCD\0", b"\x80daala", b"OVP80", b"\x01video\0\0\0")
_TEXTS: Final = (b"fishead\0", b"\x80kate", b"CMML\0", b"\x01text\0\0\0")


def read_ogg(size: int) -> Reading:
    """Whether a stream is video, or all are sound. All begin before any goes on."""
    sounds, at = False, 0
    for _ in range(_MOST_STREAMS):
        header = yield Span(at, _LACING + 255 + _NAME)
        if not header.startswith(MAGIC) or len(header) < _LACING:
            break
        if not header[5] & _BEGINS:
            return Medium("audio/ogg") if sounds else None
        content = _LACING + header[26]
        codec = header[content : content + _NAME]
        if codec.startswith(_PICTURES):
            return Medium("video/ogg")
        if codec.startswith(_SOUNDS):
            sounds = True
        elif not codec.startswith(_TEXTS):
            return None
        at += content + sum(header[_LACING:content])
        if at >= size:
            break
    return Medium("audio/ogg", certain=at >= size) if sounds else None
