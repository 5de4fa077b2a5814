"""Streams without a container: one frame or packet after the other, each with a mark.

A mark of a few bits occurs in any file by chance; a second one at the place that the first one
announces does not.
Sources: ISO/IEC 11172-3 section 2.4.2.3 and ISO/IEC 13818-3 section 2.4.2 (MPEG audio), ISO/IEC
13818-7 section 6.2 (ADTS), ISO/IEC 13818-1 section 2.4.3 and the Blu-ray disc's packets with a
time (m2ts), ETSI TS 102 366 sections 4.4 and E.1.3 (AC-3), ETSI TS 102 114 section 5.3 (DTS),
IEC 61834-2 (DV).
"""

import re
from typing import Final

_MPEG1: Final = 3
_RESERVED: Final = 1
_SAMPLE_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_BIT_RATES: Final = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_BIT_RATES[False, 3] = _BIT_RATES[False, 2]
"""Bit rates in kbit/s, by MPEG-1 or not, and by layer; 0 is an unspecified rate."""

_AC3_RATES: Final = (
    *(32, 40, 48, 56, 64, 80, 96, 112, 128),
    *(160, 192, 224, 256, 320, 384, 448, 512, 576, 640),
)
_AC3_SYNC: Final = b"\x0b\x77"
_DTS: Final = b"\x7f\xfe\x80\x01"
_DTS_HD: Final = b"\x64\x58\x20\x25"
_DTS_ORDERS: Final = re.compile(
    rb"\xfe\x7f\x01\x80|\x1f\xff\xe8\x00\x07[\xf0-\xff]|\xff\x1f\x00\xe8[\xf0-\xff]\x07"
)
"""The mark with the bytes of its words swapped, and in words of 14 bits, in both orders."""

_TIMED_PACKET: Final = 192
_DV_BLOCK: Final = 80
_DV_BLOCKS: Final = (b"\x1f\x07\x00", b"\x3f\x07\x00", b"\x3f\x07\x01")
"""How a sequence begins: its header, and two blocks of subcode."""


def frames_type(head: bytes) -> str | None:
    """The type of a stream of frames."""
    if head.startswith(_AC3_SYNC):
        return _ac3_type(head)
    if head.startswith(_DTS):
        return _dts_type(head)
    if _DTS_ORDERS.match(head):
        return "audio/vnd.dts"
    if _is_dv(head):
        return "video/dv"
    if head[4 : 4 + 5 * _TIMED_PACKET : _TIMED_PACKET] == b"GGGGG":
        return "video/mp2t"
    return mpeg_type(head, frames=3)


def mpeg_type(data: bytes, frames: int) -> str | None:
    """audio/mpeg or audio/aac if there are `frames` frames in a row."""
    at, kind = 0, None
    for _ in range(frames):
        header = data[at : at + 7]
        adts = adts_length(header)
        length = adts or mpeg_length(header)
        found = "audio/aac" if adts else "audio/mpeg"
        if not length or kind not in (None, found):
            return None
        kind, at = found, at + length
    return kind


def mpeg_length(header: bytes) -> int:
    """Bytes of the frame of MPEG audio that begins with the header; 0 if none does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate, sampling = header[2] >> 4, header[2] >> 2 & 3
    if version == _RESERVED or layer > 3 or rate in (0, 15) or sampling == 3:
        return 0
    bits = _BIT_RATES[version == _MPEG1, layer][rate] * 1000
    hertz, padding = _SAMPLE_RATES[version][sampling], header[2] >> 1 & 1
    if layer == 1:
        return (12 * bits // hertz + padding) * 4
    return (72 if layer == 3 and version != _MPEG1 else 144) * bits // hertz + padding


def adts_length(header: bytes) -> int:
    """Bytes of the frame of AAC that begins with the header; 0 if none does."""
    if len(header) < 7 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] & 0x3C > 0x30:
        return 0
    length = int.from_bytes(header[3:6]) >> 5 & 0x1FFF
    return length if length > 7 else 0


def _ac3_type(head: bytes) -> str | None:
    if len(head) < 6:
        return None
    version = head[5] >> 3
    if version <= 10:
        sampling, code = head[4] >> 6, head[4] & 0x3F
        if sampling == 3 or code // 2 >= len(_AC3_RATES):
            return None
        rate = _AC3_RATES[code // 2]
        words = (2 * rate, 96000 * rate // 44100 + (code & 1), 3 * rate)[sampling]
    else:
        words = (int.from_bytes(head[2:4]) & 0x7FF) + 1
    if version > 16 or head[2 * words :][:2] != _AC3_SYNC:
        return None
    return "audio/ac3" if version <= 10 else "audio/eac3"


def _dts_type(head: bytes) -> str | None:
    """By what follows the first frame; of one that goes on behind the head, by its mark."""
    length = 1 + (int.from_bytes(head[5:8]) >> 4 & 0x3FFF)
    following = head[length : length + 4]
    if following == _DTS_HD:
        return "audio/vnd.dts.hd"
    return "audio/vnd.dts" if _DTS.startswith(following) else None


def _is_dv(head: bytes) -> bool:
    return all(head[at * _DV_BLOCK :].startswith(mark) for at, mark in enumerate(_DV_BLOCKS))
