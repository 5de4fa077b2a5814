"""Paths of the API below a base URL that may have a path itself. Pure."""

import re
from typing import Final
from urllib.parse import urlsplit

_UNRESERVED: Final = re.compile(r"%(2[DEde]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])")
"""Letters, digits, `-`, `.`, `_` and `~`, as they can be written too."""


def base_path(base_url: str) -> str:
    """The path that all of the API is under: empty, or `/…` without a slash at its end."""
    return urlsplit(base_url).path.rstrip("/")


def is_below(path: str, prefix: str) -> bool:
    """Whether `path` is `prefix` or something under it."""
    return path == prefix or path.startswith(prefix + "/")


def api_path(target: str, base_url: str) -> str:
    """The path of a request target (path and query) relative to the API's base."""
    return target.partition("?")[0].removeprefix(base_path(base_url))


def canonical(path: str) -> str:
    """One spelling for all by which servers name the same resource.

    Needless encodings are undone (RFC 3986 section 6.2.2.2), and what many servers overlook is left
    out: empty path elements, a slash at the end, parameters behind a semicolon.
    """
    decoded = _UNRESERVED.sub(lambda found: chr(int(found[1], 16)), path)
    elements = (element.partition(";")[0] for element in decoded.split("/"))
    return "/" + "/".join(element for element in elements if element)
