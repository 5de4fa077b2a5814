"""Requests that are no upload, served by aiohttp: on to the upstream and back, streamed both ways.

These are the ones that the fast engine does not handle, as `gateway.server.fast.connection` says.
"""

from collections.abc import AsyncIterator

from aiohttp import HttpVersion11, web

from gateway.delivery.forward import Outgoing
from gateway.errors import GatewayError
from gateway.server.admission.admit import authenticate, check_scopes
from gateway.server.admission.body import read_body, send_continue
from gateway.server.admission.charge import charge
from gateway.server.admission.deletions import hand_over, order_removal
from gateway.server.admission.passing import Passing, settle_passing
from gateway.server.fields import headers
from gateway.server.fields.head import head_of
from gateway.server.handlers.streaming import AnswerHead, stream_answer
from gateway.server.handlers.tunnelling import open_websocket
from gateway.server.services import SERVICES


async def pass_through(request: web.Request) -> web.StreamResponse:
    """The upstream's answer to the unchanged request.

    The upstream alone judges its token, unless the route asks for scopes.

    Raises what `settle_passing` raises, and the errors of authentication, quotas, and forwarding.
    """
    services = request.app[SERVICES]
    passing = settle_passing(head_of(request), services)
    if passing.asks_for_caller:
        await _identify(request, passing)
    if passing.websocket and request.version >= HttpVersion11:
        return await open_websocket(request, passing.path)
    if not request.body_exists:
        await send_continue(request)
        return await _pass(request, passing.path, None)
    with services.passing.hold():
        await send_continue(request)
        body = read_body(request, services, limit=services.settings.max_file_size)
        return await _pass(request, passing.path, body)


async def _pass(
    request: web.Request, path: str, body: AsyncIterator[bytes] | None
) -> web.StreamResponse:
    services = request.app[SERVICES]
    # What is compressed has no links that could be changed.
    kept = headers.to_upstream if services.links is None else headers.of_relay
    outgoing = Outgoing(request.method, path, kept(request.headers), body)
    placed = await order_removal(request, services, path)
    async with services.forwarder.send(outgoing) as response:
        await hand_over(services, placed, response.status)
        head = AnswerHead(response.status, response.reason, response.headers)
        return await stream_answer(request, head, b"", response.content)


async def _identify(request: web.Request, passing: Passing) -> None:
    """See that the caller may do this, and count the request for the caller's quota.

    The upstream checks a token that no verifier knows; it counts for no subject.
    """
    services = request.app[SERVICES]
    try:
        principal = await authenticate(request, services)
    except GatewayError:
        if passing.scopes:
            raise
        return
    check_scopes(principal, passing.scopes)
    await charge(request, principal)
