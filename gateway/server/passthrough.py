"""Requests that are no upload: on to the upstream and back, streamed both ways."""

from aiohttp import web

from gateway.delivery.forward import Outgoing
from gateway.server import headers
from gateway.server.admission import authenticate, check_expectation, check_scopes
from gateway.server.body import read_body, send_continue
from gateway.server.quotas import charge_if_known
from gateway.server.services import SERVICES
from gateway.server.streaming import stream_answer
from gateway.server.target import upstream_path


async def pass_through(request: web.Request) -> web.StreamResponse:
    """The upstream's answer to the request as it came.

    The upstream alone judges its token, unless the route asks for scopes.
    """
    services = request.app[SERVICES]
    settings = services.settings
    check_expectation(request.headers)
    path = upstream_path(request.raw_path, str(settings.upstream_url))
    await charge_if_known(request)
    if needed := services.routes.scopes_of_passed(path):
        check_scopes(await authenticate(request.headers, services.authenticator), needed)
    await send_continue(request)
    body = (
        read_body(request, services, limit=settings.max_file_size) if request.body_exists else None
    )
    outgoing = Outgoing(request.method, path, headers.to_upstream(request.headers), body)
    async with services.forwarder.send(outgoing) as response:
        return await stream_answer(request, response, b"")
