"""File names: what a client calls a file, as a safe last path element, and in a header. Pure."""

import re
import unicodedata
from typing import Final, Literal
from urllib.parse import quote

LONGEST: Final = 255
"""Bytes of UTF-8 in a name: what file systems take."""

FALLBACK: Final = "file"

_SEPARATORS = re.compile(r"[/\\]")
_SLASH = re.compile(r"/")
_WINDOWS_PATH = re.compile(r"\A[ .]*(?:[A-Za-z]:|\\)|(?:\A|[/\\])[. ]+(?:[/\\]|\Z)")
_EDGES = " .\\"
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, bidirectional and other format characters, surrogates, what has no meaning."""
_KEPT = frozenset("\u061c\u200c\u200d\u200e\u200f")
"""Marks that Arabic, Hebrew and Persian are written with, and the joiner in emoji. They turn no
letters around, unlike overrides, embeddings and isolates."""

_LONGEST_EXTENSION = 32

_USUAL = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9_ .-]{0,200}[A-Za-z0-9_-])?")
"""Names that are safe as they are, but for devices; read by the whole rules they stay the same."""


def safe_name(original: str, *, path: bool = True) -> str:
    """The last path element of a client's name, as one that harms no file system and no reader.

    In NFC, at most 255 bytes of UTF-8 with its extension kept, never empty. Safe names stay as
    they are. If not `path`, a backslash belongs to the name, but for what Windows takes for a path:
    a drive, a share, or dots between backslashes.
    """
    if _USUAL.fullmatch(original) and not _DEVICE.match(original):
        return original
    printable = "".join(
        char
        for char in original
        if char in _KEPT or unicodedata.category(char) not in _DROPPED_CATEGORIES
    ).rstrip("/\\")
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


def _shortened(name: str) -> str:
    if len(name.encode()) <= LONGEST:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > _LONGEST_EXTENSION:
        stem, dot, extension = name, "", ""
    room = LONGEST - len((dot + extension).encode())
    return (_cut(stem, room).rstrip(_EDGES) + dot + extension).strip(_EDGES)


def _cut(text: str, size: int) -> str:
    """As many whole characters as fit in `size` bytes."""
    return text.encode()[:size].decode(errors="ignore")
