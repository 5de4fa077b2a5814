"""The upstream's answer to the client as it comes: status, headers and bytes."""

from typing import NamedTuple

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy

from gateway.delivery.forward import read_on
from gateway.delivery.links import without_sums
from gateway.server.fields import headers
from gateway.server.fields.cors import without_cors
from gateway.server.services import SERVICES


class AnswerHead(NamedTuple):
    """The head of an answer of the upstream's."""

    status: int
    reason: str | None
    headers: CIMultiDictProxy[str]


async def stream_answer(
    request: web.Request, head: AnswerHead, held: bytes, rest: aiohttp.StreamReader | None
) -> web.StreamResponse:
    """Pass on the upstream's answer: the `held` part of its body, then the `rest`.

    Raises UpstreamUnavailable if the upstream's body breaks off, ConnectionError if the client
    has disconnected.
    """
    services = request.app[SERVICES]
    fields = headers.to_client(head.headers)
    links = services.links.of(head.status, head.headers) if services.links is not None else None
    if links is not None:
        fields = without_sums(fields)
        held = links.feed(held)
    reason = head.reason or ""
    answer = web.StreamResponse(
        status=head.status,
        reason=reason if reason.isprintable() else None,
        headers=fields if services.cors is None else without_cors(fields),
    )
    await answer.prepare(request)
    if held:
        await answer.write(held)
    if rest is not None:
        patience = services.settings.upstream_timeout
        while chunk := await read_on(rest, patience):
            await answer.write(chunk if links is None else links.feed(chunk))
    await answer.write_eof(b"" if links is None else links.end())
    return answer
