"""Requests that are no upload: on to the upstream and back, streamed both ways."""

from collections.abc import AsyncIterator

from aiohttp import web
from multidict import CIMultiDictProxy

from gateway.delivery.forward import Outgoing
from gateway.errors import GatewayError, WebSocketRefused
from gateway.server.admission.admit import authenticate, check_expectation, check_scopes
from gateway.server.admission.body import read_body, send_continue
from gateway.server.admission.charge import charge
from gateway.server.admission.deletions import hand_over, order_removal
from gateway.server.fields import headers
from gateway.server.fields.resumption import check_passed
from gateway.server.fields.target import upstream_path
from gateway.server.handlers.streaming import AnswerHead, stream_answer
from gateway.server.services import SERVICES

_NOT_OF_PREFLIGHTS = ("Authorization", "Content-Type")


async def pass_through(request: web.Request) -> web.StreamResponse:
    """The upstream's answer to the unchanged request.

    The upstream alone judges its token, unless the route asks for scopes.

    Raises ResumableUpload for a part of an upload, WebSocketRefused for a handshake: without
    `Upgrade`, which is for one connection only (RFC 9110 section 7.8), the upstream would see
    another request than the client made.
    """
    services = request.app[SERVICES]
    settings = services.settings
    check_expectation(request.headers)
    check_passed(request.method, request.headers)
    path = upstream_path(request.raw_path, str(settings.upstream_url))
    if asks_for_websocket(request.method, request.headers):
        raise WebSocketRefused("open WebSockets to ChatKitty itself, by its own URL")
    if request.body_exists or not is_preflight(request.method, request.headers):
        await _let_in(request, services.routes.scopes_of_passed(path))
    if not request.body_exists:
        await send_continue(request)
        return await _pass(request, path, None)
    with services.passing.hold():
        await send_continue(request)
        body = read_body(request, services, limit=settings.max_file_size)
        return await _pass(request, path, body)


async def _pass(
    request: web.Request, path: str, body: AsyncIterator[bytes] | None
) -> web.StreamResponse:
    services = request.app[SERVICES]
    outgoing = Outgoing(request.method, path, headers.to_upstream(request.headers), body)
    placed = await order_removal(request, services, path)
    async with services.forwarder.send(outgoing) as response:
        await hand_over(services, placed, response.status)
        head = AnswerHead(response.status, response.reason, response.headers)
        return await stream_answer(request, head, b"", response.content)


def asks_for_websocket(method: str, received: CIMultiDictProxy[str]) -> bool:
    """Whether a request is the handshake of RFC 6455 section 4.1. Pure."""
    if method != "GET" or "Upgrade" not in received:
        return False
    protocols = ",".join(received.getall("Upgrade")).split(",")
    return any(each.strip().lower() == "websocket" for each in protocols)


def is_preflight(method: str, received: CIMultiDictProxy[str]) -> bool:
    """Whether the request is a browser's CORS preflight, which has no token. Pure.

    Fetch standard, "CORS-preflight fetch": it has no credentials, and no sign of a body.
    """
    return (
        method == "OPTIONS"
        and "Origin" in received
        and "Access-Control-Request-Method" in received
        and not any(name in received for name in _NOT_OF_PREFLIGHTS)
    )


async def _let_in(request: web.Request, needed: frozenset[str]) -> None:
    """Identify the caller if needed: for `needed` scopes, or for a subject's quota.

    The upstream checks a token that no verifier knows; it counts for no subject.
    """
    services = request.app[SERVICES]
    if not needed and services.quotas is None:
        return
    try:
        principal = await authenticate(request, services)
    except GatewayError:
        if needed:
            raise
        return
    check_scopes(principal, needed)
    await charge(request, principal)
