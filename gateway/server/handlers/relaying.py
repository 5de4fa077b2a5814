"""A relay served by aiohttp's handler, which waits for what the exchange reports.

These are the relays that the fast engine does not handle: chunked bodies, requests with an
`Idempotency-Key`, tokens that were not verified recently.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp
from aiohttp import web
from aiohttp.http import RawResponseMessage

from gateway.delivery.admitted import Admitted
from gateway.delivery.relay import Exchange
from gateway.errors import FileTooLarge, GatewayError
from gateway.records.bucket import Entry
from gateway.server.admission.body import next_of
from gateway.server.fields import headers
from gateway.server.handlers.streaming import AnswerHead
from gateway.server.services import Services


class Relayed(NamedTuple):
    """The upstream's answer: its head, the held part of its body, and a stream of the rest."""

    head: AnswerHead
    held: bytes
    rest: aiohttp.StreamReader | None


class HandlerFront:
    """The front of one upload: notifies the waiting handler and the task that reads the body."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[Relayed] = asyncio.get_running_loop().create_future()
        """The upload's answer, or the error that stopped it."""
        self.room = asyncio.Event()
        """Whether the body is being read."""
        self.room.set()

    def pause(self) -> None:
        """Stop reading the body for now."""
        self.room.clear()

    def resume(self) -> None:
        """Resume reading it."""
        self.room.set()

    def answer(
        self, head: RawResponseMessage, held: bytes, rest: aiohttp.StreamReader | None
    ) -> None:
        """Let the handler continue with the upstream's answer."""
        if not self.answered.done():
            answered = AnswerHead(head.code, head.reason, head.headers)
            self.answered.set_result(Relayed(answered, held, rest))

    def refuse(self, error: Exception) -> None:
        """Have the handler raise the error."""
        if not self.answered.done():
            self.answered.set_exception(error)


@asynccontextmanager
async def relayed(
    request: web.Request, services: Services, admitted: Admitted, entry: Entry | None = None
) -> AsyncIterator[Relayed]:
    """Relay the request; returns the upstream's answer once the record of a success is kept.

    If the upload has a record in the bucket already, `entry`, that one is replaced. Raises what the
    body, the upstream and the ledger raise.
    """
    outgoing = headers.raw_of_relay(request.raw_headers, request.headers)
    if admitted.trace:
        outgoing = headers.with_trace(outgoing, admitted.trace)
    front = HandlerFront()
    exchange = Exchange(services.relays, admitted, outgoing, front, entry)
    exchange.begin()
    sending = asyncio.create_task(_send(request.content, admitted.body_limit, exchange, front))
    try:
        yield await front.answered
    finally:
        sending.cancel()
        exchange.close()


async def _send(
    body: aiohttp.StreamReader, limit: int, exchange: Exchange, front: HandlerFront
) -> None:
    """Give the exchange the body as it arrives."""
    try:
        await front.room.wait()
        while data := await next_of(body):
            exchange.client_sends(data)
            if exchange.received > limit:
                raise FileTooLarge(f"the body exceeds the limit of {limit} bytes")
            await front.room.wait()
        exchange.end_of_body()
    except GatewayError as error:
        exchange.client_fails(error)
    except Exception as error:  # noqa: BLE001 - the handler raises it
        exchange.fail(error)
