"""Requests that are no upload: on to the upstream and back, streamed both ways."""

from aiohttp import web

from gateway.delivery.forward import Outgoing
from gateway.server import headers
from gateway.server.admission import check_expectation
from gateway.server.body import read_body, send_continue
from gateway.server.services import SERVICES
from gateway.server.streaming import stream_answer
from gateway.server.target import upstream_path


async def pass_through(request: web.Request) -> web.StreamResponse:
    """The upstream's answer to the request as it came; the upstream alone judges its token."""
    services = request.app[SERVICES]
    settings = services.settings
    check_expectation(request.headers)
    path = upstream_path(request.raw_path, str(settings.upstream_url))
    await send_continue(request)
    body = (
        read_body(request, services, limit=settings.max_file_size) if request.body_exists else None
    )
    outgoing = Outgoing(request.method, path, headers.to_upstream(request.headers), body)
    async with services.forwarder.send(outgoing) as response:
        return await stream_answer(request, response, b"")
