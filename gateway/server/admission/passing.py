"""Decides about a request that is no upload: whether it passes, and what its caller must be.

Both ways of a passed request ask here: `gateway.server.handlers.passthrough` and the fast engine.
"""

from typing import Final

import msgspec
from aiohttp import hdrs
from multidict import CIMultiDictProxy

from gateway.errors import FileTooLarge, WebSocketRefused
from gateway.server.admission.admit import check_expectation
from gateway.server.fields.cors import is_preflight
from gateway.server.fields.head import Head
from gateway.server.fields.resumption import check_passed
from gateway.server.fields.target import upstream_path
from gateway.server.services import Services

_NO_SCOPES: Final[frozenset[str]] = frozenset()


class Passing(msgspec.Struct, frozen=True):
    """A request that may pass if its caller has the `scopes`.

    `path` is for the upstream, `length` that of the body (None if unknown). `counts`: the request
    counts for its caller's quota, if the caller is known.
    """

    path: str
    length: int | None
    scopes: frozenset[str]
    counts: bool
    websocket: bool = False
    """Whether it is the handshake of a WebSocket."""

    @property
    def asks_for_caller(self) -> bool:
        """Whether the caller must be identified; the upstream alone judges all other tokens."""
        return self.counts or bool(self.scopes)


def settle_passing(head: Head, services: Services) -> Passing:
    """Decide by the head alone. Does no I/O.

    Raises ExpectationFailed, ResumableUpload for a part of an upload, MalformedTarget,
    RouteNotFound, FileTooLarge, and WebSocketRefused for a handshake if WebSockets are switched
    off: without `Upgrade`, which is for one connection only (RFC 9110 section 7.8), the upstream
    would see another request than the client made.
    """
    settings = services.settings
    check_expectation(head.headers)
    check_passed(head.method, head.headers)
    path = upstream_path(head.target, str(settings.upstream_url))
    websocket = not head.has_body and _asks_for_websocket(head.method, head.headers)
    if websocket and not settings.websockets:
        raise WebSocketRefused("open WebSockets to ChatKitty itself, by its own URL")
    length = head.content_length if head.has_body else 0
    if length is not None and length > settings.max_file_size:
        raise FileTooLarge(f"the body exceeds the limit of {settings.max_file_size} bytes")
    if not head.has_body and is_preflight(head.method, head.headers):
        return Passing(path, length, _NO_SCOPES, counts=False)
    scopes = services.routes.scopes_of_passed(path)
    counts = services.quotas is not None
    return Passing(path, length, scopes, counts=counts, websocket=websocket)


def _asks_for_websocket(method: str, received: CIMultiDictProxy[str]) -> bool:
    """Whether a request is the handshake of RFC 6455 section 4.1. Pure.

    Without `Connection: Upgrade`, an `Upgrade` is not meant for us (RFC 9110 section 7.8).
    """
    if method != "GET" or hdrs.UPGRADE not in received:
        return False
    return _lists(received, "Upgrade", "websocket") and _lists(received, "Connection", "upgrade")


def _lists(received: CIMultiDictProxy[str], name: str, member: str) -> bool:
    """Whether a header that is a list has the member, in any case of letters. Pure."""
    members = ",".join(received.getall(name, ())).split(",")
    return any(each.strip().lower() == member for each in members)
