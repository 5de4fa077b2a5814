"""The client's side of an upload on the fast engine, with its quota and its time limits.

It drives an exchange with the upstream. The connection gives the body's bytes to the exchange; once
the upload was answered, it gives the rest to the front, which discards them.
"""

import asyncio
import time
from typing import Final

import aiohttp
from aiohttp import hdrs
from aiohttp.http import RawRequestMessage, RawResponseMessage
from msgspec.structs import replace

from gateway.choices import Delivery
from gateway.delivery.admitted import Admitted
from gateway.delivery.forward import read_on
from gateway.delivery.links import Links
from gateway.delivery.relay import Exchange, wire
from gateway.delivery.relay.phase import Phase
from gateway.limits.quota import Demand
from gateway.metrics.catalogue import OPEN_UPLOADS
from gateway.metrics.requests import relay_phases, tally_of
from gateway.server import tracing
from gateway.server.fast import answer
from gateway.server.fast.front import (
    CLIENT_LOST,
    STREAMING,
    ClientSide,
    SocketFront,
)
from gateway.server.fields import headers
from gateway.server.services import Services

_DELIVERY: Final = Delivery.RELAY.value
_OPEN: Final = OPEN_UPLOADS.of(_DELIVERY)
_CONNECTING: Final = Phase.CONNECTING


class UploadFront(SocketFront[Exchange]):
    """The front of one upload."""

    __slots__ = ("_admitted", "_task")

    def __init__(
        self,
        client: ClientSide,
        services: Services,
        admitted: Admitted,
        head: RawRequestMessage,
        started: float,
    ) -> None:
        """Answer the upload with this `head`; its last byte arrived at `started`."""
        super().__init__(
            client, services, services.relays.under_way, head, started, admitted.request_id
        )
        self._own.append((b"Upload-Id", admitted.upload_id.encode()))
        self._task: asyncio.Task[None] | None = None
        outgoing = headers.raw_of_relay(head.raw_headers, head.headers)
        if services.settings.tracing and (span := tracing.begin(head.headers)) is not None:
            self._span = span
            admitted = replace(admitted, trace=span.carrier)
            outgoing = headers.with_trace(outgoing, span.carrier)
        self._admitted = admitted
        self.way = Exchange(services.relays, admitted, outgoing, self)

    def begin(self) -> None:
        """Have the upload relayed, once its subject's quota allows it."""
        _OPEN.value += 1
        self._services.slots.taken += 1
        if (quotas := self._services.quotas) is None:
            self._go_on()
        else:
            admitted = self._admitted
            demand = Demand(admitted.content_length, admitted.upload_id)
            self._ask(quotas, admitted.principal.subject, demand)

    # --- the client's side -----------------------------------------------------------------------

    def client_full(self) -> None:
        """Do nothing: the code that streams an answer waits for the client itself."""

    def client_drained(self) -> None:
        """Do nothing, for the same reason."""

    # --- the exchange's side ---------------------------------------------------------------------

    def pause(self) -> None:
        """Stop reading the body for now; make reads smaller if the upstream is too slow."""
        super().pause()
        if self.way.phase is not _CONNECTING:
            self._client.narrow()

    def answer(
        self, head: RawResponseMessage, held: bytes, rest: aiohttp.StreamReader | None
    ) -> None:
        """Send the client the upstream's answer: the `held` part of its body, then the `rest`."""
        self._left = self.way.left
        rewriter = self._services.links
        links = rewriter.of(head.code, head.headers) if rewriter is not None else None
        if links is not None:
            held = links.feed(held) if rest is not None else links.whole(held)
        whole = held if rest is None else None
        try:
            lines = headers.raw_to_client(head.raw_headers, head.headers)
            length = head.headers.get(hdrs.CONTENT_LENGTH) if links is None else None
            if (cors := self._services.cors) is not None or links is not None:
                lines = answer.changed_lines(lines, cors, changed=links is not None)
            opening, chunked = answer.opening_of(
                head, (lines, length), whole, self._own_lines(), time.time(), self._head.method
            )
        except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours is a 500
            self.way.close()
            self.refuse(error)
            return
        self._status = head.code
        self._sent += len(held)
        self._client.send(opening + (wire.chunk(held) if chunked and held else held))
        if rest is None:
            self._finish()
        elif not self._client.connected:  # no event would report the end of the answer
            self._break(CLIENT_LOST)
            self._leave(reusable=False)
        else:
            self._stage = STREAMING
            self._client.give_to(self.let_pass)
            work = self._stream(rest, links, chunked=chunked)
            self._task = self._client.loop.create_task(work)

    # --- within ----------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if hdrs.EXPECT in self._head.headers:
            self._client.send(wire.CONTINUE)
        relay_phases().auth.observe(time.monotonic() - self._started)
        self.way.begin()

    async def _stream(
        self, rest: aiohttp.StreamReader, links: Links | None, *, chunked: bool
    ) -> None:
        patience = self._services.settings.upstream_timeout
        try:
            while data := await read_on(rest, patience):
                self._pass_on(data if links is None else links.feed(data), chunked=chunked)
                await self._client.drained()
        except Exception as error:  # noqa: BLE001 - the answer has begun: it can only be cut
            self._break(str(error))
            self._client.cut()
            return
        if links is not None:
            self._pass_on(links.end(), chunked=chunked)
        if chunked:
            self._client.send(wire.chunk(b""))
        self.way.close()
        self._finish()

    def _pass_on(self, data: bytes, *, chunked: bool) -> None:
        if data:  # an empty chunk would be the last one
            self._sent += len(data)
            self._client.send(wire.chunk(data) if chunked else data)

    def _ids(self) -> dict[str, str]:
        return {"request_id": self._admitted.request_id, "upload_id": self._admitted.upload_id}

    def _count(self, ended: int | str, seconds: float) -> None:
        route = self._admitted.route.name
        received = (self._admitted.content_length or 0) - self._left
        tally_of(route, _DELIVERY, ended).count(seconds, received, self._sent)
        if self._span is not None:
            method = self._head.method
            tracing.end(self._span, method, route, _DELIVERY, self._status, **self._ids())
            self._span = None

    def _release(self) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        _OPEN.value -= 1
        self._services.slots.taken -= 1
        if self._ticket is not None:
            self._ticket.end((self._admitted.content_length or 0) - self._left)
