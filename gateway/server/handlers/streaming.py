"""The upstream's answer to the client as it comes: status, headers and bytes."""

import aiohttp
from aiohttp import web

from gateway.delivery.forward import read_on
from gateway.server.fields import headers
from gateway.server.services import SERVICES


async def stream_answer(
    request: web.Request, response: aiohttp.ClientResponse, held: bytes
) -> web.StreamResponse:
    """Answer with what the upstream answers; `held` is what was read of its body already.

    Raises UpstreamUnavailable where the upstream's body breaks off, ConnectionError where the
    client has gone.
    """
    reason = response.reason or ""
    answer = web.StreamResponse(
        status=response.status,
        reason=reason if reason.isprintable() else None,
        headers=headers.to_client(response.headers),
    )
    await answer.prepare(request)
    if held:
        await answer.write(held)
    patience = request.app[SERVICES].settings.upstream_timeout
    while chunk := await read_on(response.content, patience):
        await answer.write(chunk)
    await answer.write_eof()
    return answer
