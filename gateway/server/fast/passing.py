"""The client's side of a request on the fast engine that is no upload.

It drives a passage to the upstream. The connection gives the body's bytes to the passage; once the
request was answered, it gives the rest to the front, which discards them.
"""

import time

from aiohttp import hdrs
from aiohttp.http import RawRequestMessage, RawResponseMessage

from gateway.auth.principal import Principal
from gateway.delivery.links import Links
from gateway.delivery.relay import Passage, wire
from gateway.delivery.relay.passage import Request
from gateway.limits.quota import Demand
from gateway.metrics.requests import NO_DELIVERY, PASSED_ON, tally_of
from gateway.server import tracing
from gateway.server.admission.passing import Passing
from gateway.server.connection.context import request_id_of
from gateway.server.fast import answer
from gateway.server.fast.front import (
    STREAMING,
    ClientSide,
    SocketFront,
)
from gateway.server.fields import headers
from gateway.server.services import Services


class PassingFront(SocketFront[Passage]):
    """The front of one passed request."""

    __slots__ = ("_caller", "_chunked", "_length", "_links", "_request_id")

    def __init__(
        self,
        client: ClientSide,
        services: Services,
        passing: Passing,
        caller: Principal | None,
        head: RawRequestMessage,
        started: float,
    ) -> None:
        """Answer the request with this `head`; its last byte arrived at `started`.

        It counts for the quota of the `caller`, if there is one. The length of its body is known.
        """
        self._request_id = request_id = request_id_of(head.headers)
        passages = services.passages
        super().__init__(client, services, passages.under_way, head, started, request_id)
        self._caller = caller
        self._length = length = passing.length or 0
        self._chunked = False
        """Whether the answer's body is sent in chunks."""
        self._links: Links | None = None
        """What changes the links of the answer, if it has any."""
        # What is compressed has no links that could be changed.
        kept = headers.raw_to_upstream if services.links is None else headers.raw_of_relay
        outgoing = kept(head.raw_headers, head.headers)
        if services.settings.tracing and (span := tracing.begin(head.headers)) is not None:
            self._span = span
            outgoing = headers.with_trace(outgoing, span.carrier)
        opening = wire.request_head(head.method, passing.path, passages.pool.host, outgoing)
        self.way = Passage(passages, Request(head.method, opening, length), self)

    def begin(self) -> None:
        """Have the request passed on, once its caller's quota allows it."""
        if self._length:
            self._services.passing.taken += 1
        quotas = self._services.quotas
        if quotas is None or self._caller is None:
            self._go_on()
        else:
            self._ask(quotas, self._caller.subject, Demand(self._length))

    # --- the client's side -----------------------------------------------------------------------

    def client_full(self) -> None:
        """Slow the upstream down to the client's pace."""
        self.way.client_full()

    def client_drained(self) -> None:
        """Let the upstream continue."""
        self.way.client_drained()

    # --- the passage's side ----------------------------------------------------------------------

    def answer(self, head: RawResponseMessage, begun: bytes, *, whole: bool) -> None:
        """Send the head of the upstream's answer, and the bytes that its body begins with."""
        self._left = self.way.left
        if (rewriter := self._services.links) is not None:
            self._links = rewriter.of(head.code, head.headers)
        if (links := self._links) is not None and whole:
            begun = links.whole(begun)
        body = begun if whole else None
        try:
            lines = headers.raw_to_client(head.raw_headers, head.headers)
            length = head.headers.get(hdrs.CONTENT_LENGTH) if links is None else None
            if (cors := self._services.cors) is not None or links is not None:
                lines = answer.changed_lines(lines, cors, changed=links is not None)
            opening, self._chunked = answer.opening_of(
                head, (lines, length), body, self._own_lines(), time.time(), self._head.method
            )
        except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours is a 500
            self.way.close()
            self.refuse(error)
            return
        self._status = head.code
        self._sent = len(begun)
        if whole:
            self._client.send(opening + begun)
            self._finish()
        else:
            self._stage = STREAMING
            self._client.send(opening)

    def send(self, data: bytes) -> None:
        """Send the next bytes of the answer's body."""
        self._pass_on(data if self._links is None else self._links.feed(data))

    def finish(self) -> None:
        """All of the answer was sent."""
        if self._links is not None:
            self._pass_on(self._links.end())
        if self._chunked:
            self._client.send(wire.chunk(b""))
        self._left = self.way.left
        self._finish()

    def cut(self, reason: str) -> None:
        """Break the answer off."""
        self._left = self.way.left
        self._cut(reason)
        self._client.cut()

    # --- within ----------------------------------------------------------------------------------

    def _pass_on(self, data: bytes) -> None:
        if data:  # an empty chunk would be the last one
            self._sent += len(data)
            self._client.send(wire.chunk(data) if self._chunked else data)

    def _go_on(self) -> None:
        if hdrs.EXPECT in self._head.headers:
            self._client.send(wire.CONTINUE)
        self.way.begin()

    def _ids(self) -> dict[str, str]:
        return {"request_id": self._request_id}

    def _count(self, ended: int | str, seconds: float) -> None:
        received = self._length - self._left
        tally_of(PASSED_ON, NO_DELIVERY, ended).count(seconds, received, self._sent)
        if self._span is not None:
            method = self._head.method
            tracing.end(self._span, method, PASSED_ON, NO_DELIVERY, self._status, **self._ids())
            self._span = None

    def _release(self) -> None:
        if self._length:
            self._services.passing.taken -= 1
        if self._ticket is not None:
            self._ticket.end(self._length - self._left)
