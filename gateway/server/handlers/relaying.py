"""A relay whose request is aiohttp's: the handler waits for what the exchange tells.

These are the relays that the fast engine does not take: bodies in chunks, requests with an
`Idempotency-Key`, tokens that were not seen lately.
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
from gateway.errors import FileTooLarge, UploadAborted
from gateway.records.bucket import Entry
from gateway.server.admission.body import next_of
from gateway.server.fields import headers
from gateway.server.handlers.streaming import AnswerHead
from gateway.server.services import Services


class Relayed(NamedTuple):
    """The upstream's answer: its head, what was held of its body, and where the rest comes."""

    head: AnswerHead
    held: bytes
    rest: aiohttp.StreamReader | None


class HandlerFront:
    """The front of one upload: tells a handler that waits, and the task that reads the body."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[Relayed] = asyncio.get_running_loop().create_future()
        """What the upload comes to, or why it comes to nothing."""
        self.room = asyncio.Event()
        """Whether more of the body is taken."""
        self.room.set()

    def pause(self) -> None:
        """Take no more of the body for now."""
        self.room.clear()

    def resume(self) -> None:
        """Take more of it."""
        self.room.set()

    def answer(
        self, head: RawResponseMessage, held: bytes, rest: aiohttp.StreamReader | None
    ) -> None:
        """Let the handler go on with the upstream's answer."""
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
    """Relay the request, and give the upstream's answer once the record of a success is kept.

    It is kept in the place of `entry`, in the bucket, where the upload has a record already. Raises
    what the body, the upstream and the ledger raise.
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
    """Give the exchange the body as it comes."""
    try:
        await front.room.wait()
        while data := await next_of(body):
            exchange.client_sends(data)
            if exchange.received > limit:
                raise FileTooLarge(f"the body exceeds the limit of {limit} bytes")
            await front.room.wait()
        exchange.end_of_body()
    except UploadAborted:
        exchange.client_lost()
    except Exception as error:  # noqa: BLE001 - the handler raises it
        exchange.fail(error)
