"""Which of libmagic's answers count. Pure.

libmagic guesses: many of its rules look at one or two bytes, and its rules for sources at a few
words. A wrong type gets a file refused, flagged or deleted, so an answer counts only if no other
file gets it by chance. libmagic never decides on types denied by default: it may only name more
precisely what our own readers (workers.signatures) have found.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from gateway.media_types import UNKNOWN_TYPE, canonical
from gateway.uploads.policy import EXECUTABLES

PLAIN: Final = "text/plain"

_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text has (WHATWG MIME Sniffing section 3, "binary data byte")."""
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")

_DENIED: Final = frozenset(map(canonical, EXECUTABLES))
_ELF: Final = frozenset({
    "application/x-executable",
    "application/x-pie-executable",
    "application/x-sharedlib",
    "application/x-object",
})  # fmt: skip
"""Types that libmagic distinguishes and our reader does not."""

_TEXTS: Final = frozenset({
    "text/calendar", "text/csv", "text/rtf", "text/vcard", "text/vtt",
})  # fmt: skip
"""Texts by their first line, or by the whole of them. The rest of text/* are guesses by words."""

_OURS: Final = frozenset({
    "application/json", "application/javascript", "application/xml", "image/svg+xml", "text/html",
    "message/rfc822",
})  # fmt: skip
"""Types that our readers decide by grammar, but libmagic by a word or the end of the head."""

_ASCII: Final = frozenset({
    "application/pdf", "application/vnd.fdf", "application/postscript", "image/x-eps",
    "application/pgp-keys", "application/pgp-signature", "application/pgp-encrypted",
    "application/x-bittorrent", "application/x-bzip2", "application/zstd", "application/x-xz",
    "application/gzip", "application/x-cpio", "application/x-tar", "application/x-dif",
    "image/vnd.dxf", "application/vnd.mif", "application/x-mif", "application/x-gnumeric",
    "application/vnd.font-fontforge-sfd", "application/x-scribus", "application/x-ndjson",
    "application/x-putty-private-key", "application/x-subrip", "application/x-sylk",
    "chemical/x-pdb", "message/news", "model/vrml", "image/fits", "image/x-miff", "image/x-mvg",
    "image/x-xpmi", "image/x-xbitmap", "image/x-portable-arbitrarymap", "image/x-portable-bitmap",
    "image/x-portable-graymap", "image/x-portable-greymap", "image/x-portable-pixmap",
    "image/png", "image/jpeg", "image/gif", "image/webp", "audio/wav", "audio/midi",
    "application/x-7z-compressed", "application/x-rar", "application/zip",
})  # fmt: skip
"""Types that a file with text bytes only may have: their signature in letters is long enough.

libmagic's other answers for such files mistake letters of a legacy encoding for a magic number.
"""

# libmagic matches one or two bytes, or three with few fixed bits; what else has to be there.
_NEVER: Final = re.compile(rb"(?!)")
_NETPBM: Final = re.compile(rb"P[1-6]\s(?:\s|#[^\n]*\n)*\d+\s+\d+\s|P7\nWIDTH ")
_WEAK: Final[Mapping[str, re.Pattern[bytes]]] = {
    **dict.fromkeys(
        (
            "application/zlib", "application/x-dzip", "application/marc", "application/x-arc",
            "application/x-arj", "application/x-terminfo", "application/x-terminfo2",
            "application/x-tex-tfm", "application/x-font-pfm", "application/x-elc",
            "application/x-bentley-dgn", "application/x-appleworks3", "application/x-lzma",
            "application/x-stargallery-thm", "application/x-atari-7800-rom",
            "application/x-atari-lynx-rom", "application/x-c32-comboot-syslinux-exec",
            "application/x-tasmota-dmp", "application/x-matlab-data", "application/x-pcapng",
            "application/x-dbf", "application/x-dbm", "application/x-setupscript",
            "application/x-wine-extension-ini", "audio/mpeg", "audio/x-mp4a-latm", "audio/aac",
            "audio/ac3", "audio/x-unknown",
            "font/x-amiga-font", "image/x-award-bioslogo", "image/x-award-bioslogo2",
            "image/x-tga", "image/x-3ds", "image/g3fax", "image/x-xwindowdump",
            "image/x-os2-ico", "image/x-os2-graphics", "image/x-gimp-gih", "image/x-unknown",
            "video/x-flic", "application/x-compress-ttcomp",
        ),
        _NEVER,
    ),
    **dict.fromkeys(
        (
            "image/x-portable-arbitrarymap", "image/x-portable-bitmap",
            "image/x-portable-graymap", "image/x-portable-greymap", "image/x-portable-pixmap",
        ),
        _NETPBM,
    ),
    "application/gzip": re.compile(rb"\x1f\x8b\x08[\x00-\x1f]"),
    # Lines of a letter may have equally many commas each, but blanks follow those.
    "text/csv": re.compile(rb".{0,4096}?,[^\s,]", re.DOTALL),
    "application/postscript": re.compile(rb"\x04?%!PS|\xc5\xd0\xd3\xc6"),
    "application/pgp-encrypted": re.compile(rb"-----BEGIN PGP"),
    "application/x-dvi": re.compile(rb"\xf7[\x02\x03]\x01\x83\x92\xc0\x1c\x3b\0\0"),
    "application/x-compress": re.compile(rb"\x1f\x9d[\x89-\x90]"),
    "application/x-cpio": re.compile(rb"07070[127]"),
    "application/x-matlab-data": re.compile(rb"MATLAB \d"),
    "image/jp2": re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    "image/bmp": re.compile(
        rb"BM.{4}.{8}(?:[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0)|\x28\0\0\0", re.DOTALL
    ),
    "image/x-pcx": re.compile(rb"\x0a[\x00-\x05]\x01[\x01\x02\x04\x08].{60}\0", re.DOTALL),
}  # fmt: skip


def is_text(head: bytes) -> bool:
    """Whether it may be text in some encoding; most cannot be recognised."""
    return head.startswith(_WIDE) or _BINARY.search(head) is None


def counted(answer: str, head: bytes, signed: Collection[str]) -> str:
    """Libmagic's answer, if it counts for a head in which our readers found `signed`.

    Otherwise text/plain or application/octet-stream, which say nothing.
    """
    text = is_text(head)
    if answer == UNKNOWN_TYPE:
        return PLAIN if text else answer
    return answer if _counts(answer, head, signed, text=text) else _nothing(text=text)


def _nothing(*, text: bool) -> str:
    return PLAIN if text else UNKNOWN_TYPE


def _counts(answer: str, head: bytes, signed: Collection[str], *, text: bool) -> bool:
    if answer in signed or answer == PLAIN:
        return True
    if answer in _DENIED or answer in _ELF:
        return answer in _ELF and not _ELF.isdisjoint(signed)
    if answer in _OURS:
        return False
    if answer in _WEAK and not _WEAK[answer].match(head):
        return False
    if answer.startswith("text/"):
        return answer in _TEXTS
    return not text or answer in _ASCII or answer.endswith("+xml")
