"""What the brands of an ISO base media file say about it.

Sources: ISO/IEC 14496-12 section 4.3, MP4RA's register of brands, RFC 4337, RFC 3839, RFC 4393,
ISO/IEC 23008-12 annex B (HEIF), the AV1 Image File Format section 6, WHATWG MIME Sniffing
section 6.2.1.
"""

import re
from dataclasses import dataclass
from typing import Final

from workers.media.reading import Medium

LARGEST: Final = 1024
"""Bytes of a box of brands; real ones have up to some 60."""

_PICTURES: Final = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"hevc": "image/heic-sequence",
    b"hevx": "image/heic-sequence",
    b"hevm": "image/heic-sequence",
    b"hevs": "image/heic-sequence",
    b"mif1": "image/heif",
    b"mif2": "image/heif",
    b"msf1": "image/heif-sequence",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"crx ": "image/x-canon-cr3",
}
_AVIF: Final = frozenset({b"avif", b"avis"})
_GENERAL_PICTURES: Final = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})


@dataclass(frozen=True, slots=True)
class Family:
    """A family of containers, with the types of what has a picture, only sound, or neither.

    `text_is_picture`: whether displayed text counts as a picture. `sounds` is True for brands that
    are only for sound.
    """

    video: str
    audio: str
    neither: str
    text_is_picture: bool = False
    sounds: bool = False

    @property
    def undecided(self) -> Medium:
        """The type of a file if its tracks were not seen."""
        return Medium(self.audio if self.sounds else self.video, certain=False)


MP4: Final = Family("video/mp4", "audio/mp4", "application/mp4")
M4A: Final = Family("video/mp4", "audio/mp4", "application/mp4", sounds=True)
# RFC 3839 and RFC 4393, section 2 of each: timed text is visual.
GPP: Final = Family("video/3gpp", "audio/3gpp", "video/3gpp", text_is_picture=True)
GPP2: Final = Family("video/3gpp2", "audio/3gpp2", "video/3gpp2", text_is_picture=True)
# No register has a type for QuickTime's sound. Android and what handles iOS' voice memos (.qta)
# say audio/quicktime.
QUICKTIME: Final = Family("video/quicktime", "audio/quicktime", "video/quicktime")

_BY_MAJOR: Final = (
    (re.compile(rb"3g[prstegfhm]"), GPP),
    (re.compile(rb"3g2"), GPP2),
    (re.compile(rb"qt  "), QUICKTIME),
    (re.compile(rb"M4[AB]|M4P |F4[AB]"), M4A),
)
_MP4: Final = re.compile(
    rb"mp[47]|iso|M4V|F4[VP]|f4v |avc|hvc|hev|av0|dby|dash|msdh|msix|cmf|ccff|piff|isml|MSNV|XAVC"
    rb"|CAEP|pana|mmp4|ND[SX]|MPPI|nvr|da[0-9]|dv|vvc|uhv|ism"
)


def brands_of(head: bytes) -> list[bytes]:
    """The major brand and the compatible ones; none if the file does not begin with brands."""
    size = int.from_bytes(head[:4])
    if head[4:8] not in (b"ftyp", b"styp") or not 16 <= size <= LARGEST or size % 4:
        return []
    listed = head[16 : min(size, len(head))]
    return [head[8:12], *(listed[at : at + 4] for at in range(0, len(listed) - 3, 4))]


def picture_of(brands: list[bytes]) -> str | None:
    """The type of a picture; None of anything else."""
    major = brands[0]
    if major in _GENERAL_PICTURES and not _AVIF.isdisjoint(brands):
        return "image/avif"
    return _PICTURES.get(major)


def family_of(brands: list[bytes]) -> Family | None:
    """The family of a file with tracks; None if no brand is known.

    The major brand decides if it says more than "MP4".
    """
    major = brands[0]
    found = _by_major(major)
    if found is not None:
        return found
    if _MP4.match(major) or any(brand.startswith(b"mp4") for brand in brands):
        return MP4
    for brand in brands[1:]:
        if (found := _by_major(brand)) is not None:
            return found
    return MP4 if any(_MP4.match(brand) for brand in brands) else None


def _by_major(brand: bytes) -> Family | None:
    return next((family for pattern, family in _BY_MAJOR if pattern.match(brand)), None)
