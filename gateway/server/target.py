"""The upstream path that a request names, exactly as the client wrote it. Pure."""

import re
from typing import Final

from gateway.errors import MalformedRequest, RouteNotFound
from gateway.upstream.paths import base_path, is_below

OWN_PREFIX: Final = "/gateway"

_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f#\\]")


def upstream_path(raw_path: str, upstream_url: str) -> str:
    """The path and query of the request target, if they are the upstream's to answer.

    Raises MalformedRequest for a target that servers read in different ways (dot segments,
    backslashes, the absolute form), RouteNotFound for one that is not below the upstream's path.
    """
    path = raw_path.partition("?")[0]
    if not path.startswith("/") or _FORBIDDEN.search(raw_path) or _DOT_SEGMENT.search(path):
        raise MalformedRequest("the request target must be a plain path")
    if is_below(path, OWN_PREFIX) or not is_below(path, base_path(upstream_url)):
        raise RouteNotFound("the path is neither ChatKitty's nor the gateway's")
    return raw_path
