"""Reads a request target once; all decisions, and the forwarded request, use the result. Pure.

Targets that servers read differently are refused, so that no spelling bypasses a route: a Java
server removes parameters (`;x`), decodes escapes, resolves dot segments and drops empty ones before
it looks a path up.
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from aiohttp.http import RawRequestMessage
from yarl import URL

from gateway.errors import MalformedTarget, RouteNotFound
from gateway.upstream.paths import base_path, is_below, normal

OWN_PREFIX: Final = "/gateway"

_KNOWN: Final = 256
"""How many targets are remembered: there are few, and every request has one."""

_FILES: Final = "/gateway/files/"
_LOGGED_FILE: Final = "/gateway/files/{token}/{name}"
_LOGGED_REFUSED: Final = "/…"

CLEAR: Final = re.compile(r"(?:/[\w~!$&'()*+,=:@-]+)+/?(?:\?[!-\"$-~]+)?", re.ASCII)
"""Targets that are certainly valid, as nearly all are."""

_IN_TARGETS: Final = (
    (re.compile(r"^(?!/)"), "does not begin with a slash"),
    (re.compile(r"[^!-~]"), "has a space, a control character or a character outside ASCII"),
    (re.compile(r"#"), "has a fragment"),
)
_IN_PATHS: Final = (
    (re.compile(r"\\"), "has a backslash"),
    (re.compile(r"%(?![0-9A-Fa-f]{2})"), "has a percent sign that is not part of an escape"),
    (re.compile(r"%(?:[01][0-9A-F]|7F)"), "has an encoded control character"),
    (re.compile(r"//"), "has an empty segment"),
    (re.compile(r"/\.{1,2}(?:;[^/]*)?(?:/|$)"), "has a dot segment"),
)
_ON_THE_WAY_TO_CHATKITTY: Final = (
    (re.compile(r"%2F"), "has an encoded slash"),
    (re.compile(r"%5C"), "has an encoded backslash"),
    (re.compile(r";|%3B"), "has a semicolon"),
    (re.compile(r"%25[0-9A-Fa-f]{2}"), "is encoded twice"),
    (re.compile(r"/%20|%20(?:/|$)"), "has a segment that begins or ends with a space"),
)
"""Characters allowed in the name of a hosted file; nothing depends on that name."""


@lru_cache(_KNOWN)
def read_target(raw: str) -> str:
    """Path and query in the one spelling in which they are decided on, logged and sent.

    Escapes that change nothing are normalised (RFC 3986 section 6.2.2). The query is not changed,
    except that a final question mark is removed. Reading the result again changes nothing. Raises
    MalformedTarget for targets that servers read in different ways.
    """
    if CLEAR.fullmatch(raw):
        return raw
    _refuse(raw, _IN_TARGETS)
    written, mark, query = raw.partition("?")
    path = normal(written)
    _refuse(path, _IN_PATHS)
    if not path.startswith(_FILES):
        _refuse(path, _ON_THE_WAY_TO_CHATKITTY)
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise MalformedTarget("the percent-encoding in the path is not valid UTF-8") from None
    return path + mark + query if query else path


def with_read_target(message: RawRequestMessage) -> RawRequestMessage:
    """The head of a request with its target normalised; a refused target does not change."""
    try:
        target = read_target(message.path)
    except MalformedTarget:
        return message
    if target == message.path:
        return message
    return message._replace(path=target, url=URL(target, encoded=True))


def upstream_path(target: str, upstream_url: str) -> str:
    """The path and query of the request target, for the upstream.

    Raises MalformedTarget if the target is not normalised, RouteNotFound if it is not below the
    upstream's path.
    """
    if read_target(target) != target:
        raise MalformedTarget("the path is not in its normal form")
    path = target.partition("?")[0]
    own = is_below(path.lower(), OWN_PREFIX)
    if own or not is_below(path, base_path(upstream_url)):
        raise RouteNotFound("the path belongs neither to ChatKitty nor to the gateway")
    return target


@lru_cache(_KNOWN)
def logged_path(target: str) -> str:
    """The path of a target as it may be logged.

    Anyone with the path of a hosted file can read the file, however the path is spelled: nothing of
    a refused target is logged.
    """
    try:
        path = read_target(target).partition("?")[0]
    except MalformedTarget:
        return _LOGGED_REFUSED
    at = path.lower().find(_FILES)
    return path if at < 0 else path[:at] + _LOGGED_FILE


def _refuse(text: str, faults: tuple[tuple[re.Pattern[str], str], ...]) -> None:
    for pattern, fault in faults:
        if pattern.search(text):
            raise MalformedTarget(f"the path {fault}, which servers interpret differently")
