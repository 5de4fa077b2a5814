"""File names: a client's name as a safe last path element, and in a header. Pure."""

import re
import unicodedata
from typing import Final, Literal
from urllib.parse import quote

LONGEST: Final = 255
"""Bytes of UTF-8 in a name: the limit of file systems."""

FALLBACK: Final = "file"

_SEPARATORS = re.compile(r"[/\\]")
_SLASH = re.compile(r"/")
_WINDOWS_PATH = re.compile(r"\A[ .]*(?:[A-Za-z]:|\\)|(?:\A|[/\\])[. ]+(?:[/\\]|\Z)")
_EDGES = " .\\"
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Controls, bidirectional and other format characters, surrogates, private characters. Characters
that Python's tables do not know yet are kept: phones have each year's emoji immediately."""
_KEPT = frozenset("\u061c\u200c\u200d\u200e\u200f" + "".join(map(chr, range(0xE0020, 0xE0080))))
"""Marks used in Arabic, Hebrew and Persian, the joiner in emoji, and the tags of flags. Unlike
overrides, embeddings and isolates, they do not reverse any letters."""
_NEVER_CHARACTERS = re.compile(
    "[\ufdd0-\ufdef]|["
    + "".join(
        chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
    )
    + "]"
)
"""Unicode's noncharacters (section 23.7)."""
_TAGS = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]{1,30}\U000e007f)|[\U000e0000-\U000e007f]")
"""A flag of a part of a country (Unicode Technical Standard 51 annex C), or tags without one."""

_LONGEST_EXTENSION = 32

_USUAL = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9_ .-]{0,200}[A-Za-z0-9_-])?")
"""Names that are safe as they are, except for devices; the full rules do not change them."""


def safe_name(original: str, *, path: bool = True) -> str:
    """The last path element of a client's name, made safe for file systems and readers.

    In NFC, at most 255 bytes of UTF-8 with its extension, never empty. Safe names do not change. If
    not `path`, a backslash belongs to the name, unless Windows would read it as a path: a drive, a
    share, or dots between backslashes.
    """
    if _USUAL.fullmatch(original) and not _DEVICE.match(original):
        return original
    printable = _printable(original).rstrip("/\\")
    separators = _SEPARATORS if path or _WINDOWS_PATH.search(printable) else _SLASH
    last = separators.split(printable)[-1]
    name = _shortened(unicodedata.normalize("NFC", last).strip(_EDGES))
    if not name:
        return FALLBACK
    return f"_{name}"[:LONGEST] if _DEVICE.match(name) else name


def content_disposition(kind: Literal["attachment", "inline"], name: str) -> str:
    """The header that names a file: RFC 6266, with RFC 8187 for what is not ASCII."""
    ascii_name = re.sub(r'[^\x20-\x7e]|["\\%]', "_", name)
    header = f'{kind}; filename="{ascii_name}"'
    return header if ascii_name == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def _printable(text: str) -> str:
    characters = _NEVER_CHARACTERS.sub("", _without_stray_tags(text))
    return "".join(
        char
        for char in characters
        if char in _KEPT or unicodedata.category(char) not in _DROPPED_CATEGORIES
    )


def _without_stray_tags(text: str) -> str:
    return text if text.isascii() else _TAGS.sub(lambda found: found[1] or "", text)


def _shortened(name: str) -> str:
    if len(name.encode()) <= LONGEST:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > _LONGEST_EXTENSION:
        stem, dot, extension = name, "", ""
    room = LONGEST - len((dot + extension).encode())
    return (_without_stray_tags(_cut(stem, room)).rstrip(_EDGES) + dot + extension).strip(_EDGES)


def _cut(text: str, size: int) -> str:
    """As many whole characters as fit into `size` bytes."""
    return text.encode()[:size].decode(errors="ignore")
