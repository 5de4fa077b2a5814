"""WebSockets: the handshake passes like any other request, then a tunnel has both connections.

Both engines leave handshakes to aiohttp. Once the upstream has switched, its connection and the
client's are taken from aiohttp, and nothing of the request is kept.
"""

from http import HTTPStatus
from typing import Final

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from gateway.delivery.forward import NOT_HTTP, SWITCHING, Outgoing
from gateway.delivery.tunnel import Seat
from gateway.errors import UploadAborted, UpstreamUnavailable
from gateway.heads import head
from gateway.internals.aiohttp import take_over
from gateway.internals.asyncio import shrink_tls_buffer
from gateway.server.connection.context import REQUEST_ID, SERVER
from gateway.server.connection.turns import TurnHandler
from gateway.server.fields import headers
from gateway.server.handlers.streaming import AnswerHead, stream_answer
from gateway.server.services import SERVICES, Services

_TLS_READ: Final = 16 * 1024
"""Bytes that one read of a connection with TLS returns at most: the largest record."""


class Switched(web.StreamResponse):
    """Stands for an answer that was sent on a connection that aiohttp no longer has."""

    def __init__(self) -> None:
        super().__init__(status=SWITCHING)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send nothing."""
        del request
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Send nothing."""


async def open_websocket(request: web.Request, path: str) -> web.StreamResponse:
    """Request a WebSocket from the upstream, and carry it; or pass on the upstream's other answer.

    Raises TooManyWebSockets, and the errors of forwarding.
    """
    services = request.app[SERVICES]
    seat = services.tunnels.take(services.client_of(request.protocol.peername, request.headers))
    asked = headers.of_handshake(request.headers)
    outgoing = Outgoing(request.method, path, asked, None, websocket=True)
    try:
        async with services.forwarder.send(outgoing) as response:
            if response.status == SWITCHING:
                return _switch(request, services, response, seat)
            answer = AnswerHead(response.status, response.reason, response.headers)
            return await stream_answer(request, answer, b"", response.content)
    finally:
        if not seat.kept:
            seat.leave()


def _switch(
    request: web.Request, services: Services, response: aiohttp.ClientResponse, seat: Seat
) -> web.StreamResponse:
    """Send the upstream's answer, and join the two connections."""
    opening = _opening(request, response)
    if (upstream := take_over(response)) is None:
        raise UpstreamUnavailable(NOT_HTTP)
    handler = request.protocol
    client = handler.hand_over() if isinstance(handler, TurnHandler) else None
    if client is None:
        upstream[0].abort()
        raise UploadAborted("the client disconnected")
    shrink_tls_buffer(upstream[0], _TLS_READ)
    client[0].write(opening)
    services.tunnels.open(seat, request[REQUEST_ID], client, upstream)
    return Switched()


def _opening(request: web.Request, response: aiohttp.ClientResponse) -> bytes:
    fields = headers.of_switch(response.headers)
    fields.setdefault("Server", SERVER)
    fields["X-Request-Id"] = request[REQUEST_ID]
    status = HTTPStatus.SWITCHING_PROTOCOLS
    return head(f"HTTP/1.1 {status.value} {status.phrase}", fields.items())
