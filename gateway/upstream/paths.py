"""Paths of the API below a base URL that may have a path itself. Pure."""

import re
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

_BASE_URLS: Final = 4

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PERHAPS_ODD_ID: Final = re.compile(r"/[0+#-]|[^!-~]")
_BLANKS: Final = re.compile(r"\s+")
_ODD_ID: Final = re.compile(r"(?:\+|(-))?(?:(?:0[xX]|#)([\da-fA-F]+)|(\d+))")
_BEYOND_IDS: Final = 2**63
"""One more than the largest id: larger numbers need not be distinguished."""


@lru_cache(_BASE_URLS)
def base_path(base_url: str) -> str:
    """The path that all of the API is under: empty, or `/…` without a slash at its end."""
    return normal(urlsplit(base_url).path.rstrip("/"))


def is_below(path: str, prefix: str) -> bool:
    """Whether `path` is `prefix` or something under it."""
    return path == prefix or path.startswith(prefix + "/")


def api_path(target: str, base_url: str) -> str:
    """The path of a request target (path and query) relative to the API's base."""
    return target.partition("?")[0].removeprefix(base_path(base_url))


def normal(path: str) -> str:
    """The normal spelling of a path, among those that differ only in escapes.

    Escapes of unreserved characters are decoded, the others are in upper case (RFC 3986 sections
    6.2.2.1 and 6.2.2.2).
    """
    return _ESCAPE.sub(_normal_escape, path) if "%" in path else path


def matched(path: str) -> str:
    """The form of a path that is compared with routes: without escapes and final slash.

    Spring reads `%40` as `@`, and before version 6 `/v1/users/` as `/v1/users`; as an id, it reads
    `0702`, `+702`, `0x2be` and digits of other scripts as 702.
    """
    plain = unquote(path).removesuffix("/") or "/"
    if _PERHAPS_ODD_ID.search(plain) is None:
        return plain
    return "/".join(_with_plain_id(segment) for segment in plain.split("/"))


def _with_plain_id(segment: str) -> str:
    """The decimal number that Spring's `NumberUtils.parseNumber` reads, else the segment itself."""
    found = _ODD_ID.fullmatch(_BLANKS.sub("", unicodedata.normalize("NFKC", segment)))
    if found is None:
        return segment
    minus, hexadecimal, decimal = found.groups()
    if hexadecimal is not None:
        digits = str(min(int(hexadecimal, 16), _BEYOND_IDS))
    else:
        digits = "".join(str(unicodedata.decimal(digit)) for digit in decimal).lstrip("0") or "0"
    return (minus or "") + digits


def _normal_escape(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else found[0].upper()
