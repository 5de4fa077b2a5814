"""The upstream's answer to the client as it comes: status, headers and bytes."""

import aiohttp
from aiohttp import web

from gateway.errors import UpstreamUnavailable
from gateway.server import headers


async def stream_answer(
    request: web.Request, response: aiohttp.ClientResponse, held: bytes
) -> web.StreamResponse:
    """Answer with what the upstream answers; `held` is what was read of its body already.

    Raises UpstreamUnavailable where the upstream's body breaks off, ConnectionError where the
    client has gone.
    """
    answer = web.StreamResponse(
        status=response.status,
        reason=response.reason,
        headers=headers.to_client(response.headers),
    )
    await answer.prepare(request)
    if held:
        await answer.write(held)
    try:
        async for chunk in response.content.iter_any():
            await answer.write(chunk)
    except aiohttp.ClientPayloadError as error:
        raise UpstreamUnavailable("ChatKitty's answer was cut") from error
    await answer.write_eof()
    return answer
