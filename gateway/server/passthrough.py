"""Requests that are no upload: on to the upstream and back, streamed both ways."""

from aiohttp import web

from gateway.delivery.forward import Outgoing
from gateway.errors import GatewayError
from gateway.server import headers
from gateway.server.admission import authenticate, check_expectation, check_scopes
from gateway.server.body import read_body, send_continue
from gateway.server.quotas import charge
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
    await _let_in(request, services.routes.scopes_of_passed(path))
    await send_continue(request)
    body = (
        read_body(request, services, limit=settings.max_file_size) if request.body_exists else None
    )
    outgoing = Outgoing(request.method, path, headers.to_upstream(request.headers), body)
    async with services.forwarder.send(outgoing) as response:
        return await stream_answer(request, response, b"")


async def _let_in(request: web.Request, needed: frozenset[str]) -> None:
    """See who asks, where that matters: for scopes that are `needed`, or for a subject's quota.

    A token that none of our verifiers knows is the upstream's to judge, and is counted for nobody.
    """
    services = request.app[SERVICES]
    if not needed and services.quotas is None:
        return
    try:
        principal = await authenticate(request.headers, services.authenticator)
    except GatewayError:
        if needed:
            raise
        return
    check_scopes(principal, needed)
    await charge(request, principal)
