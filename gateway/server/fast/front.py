"""The client's side of an upload on the fast engine: its answer, its quota, its time limits.

It drives an exchange with the upstream. The connection gives the body's bytes to the exchange; once
the upload was answered, it gives the rest to the front, which discards them.
"""

import asyncio
import time
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Protocol

import aiohttp
from aiohttp.http import RawRequestMessage, RawResponseMessage
from msgspec.structs import replace

from gateway.delivery.admitted import Admitted
from gateway.delivery.forward import read_on
from gateway.delivery.relay import Exchange, wire
from gateway.delivery.relay.phase import Phase
from gateway.errors import BodyTimeout, GatewayError, UploadAborted
from gateway.limits.quota import Demand
from gateway.limits.shared_quota import Quotas, Ticket
from gateway.metrics.catalogue import OPEN_UPLOADS, PROBLEMS
from gateway.metrics.requests import ABORTED, CUT, relay_phases, tally_of
from gateway.multipart import MultipartError
from gateway.problems import Problem, problem_of
from gateway.server import tracing
from gateway.server.connection.linger import LINGER_BYTES, LINGER_SECONDS, TOO_SLOW_SECONDS
from gateway.server.fast import answer
from gateway.server.fields import headers
from gateway.server.fields.target import logged_path
from gateway.server.services import Services
from gateway.telemetry import get_logger, log_request

if TYPE_CHECKING:
    from gateway.tracing.otel import Span

log = get_logger(__name__)

_OPEN: Final = OPEN_UPLOADS.of("relay")
_SERVER_FAULT: Final = 500
_CLIENT_LOST: Final = "the client went away"


class ClientSide(Protocol):
    """What a front needs from the connection to its client."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the connection."""

    @property
    def connected(self) -> bool:
        """Whether the client is still there."""

    @property
    def peername(self) -> object:
        """The client's address."""

    def send(self, data: bytes) -> None:
        """Send to the client, if it is still there."""

    async def drained(self) -> None:
        """Wait until the client has taken most of what was sent, or has gone."""

    def pause(self) -> None:
        """Stop reading from the client for now."""

    def resume(self) -> None:
        """Resume reading from the client."""

    def narrow(self) -> None:
        """Make reads smaller from now on."""

    def give_to(self, taker: Callable[[bytes], bytes]) -> None:
        """Give the body's bytes to `taker` from now on; it returns what follows the body."""

    def end_answers(self) -> None:
        """Send nothing more, but continue reading."""

    def cut(self) -> None:
        """Close the connection at once."""

    def upload_ended(self, *, reusable: bool) -> None:
        """The upload is over; `reusable`: the next request may follow on the connection."""


class _Stage(IntEnum):
    ASKING = 0
    """The caller's quota is being checked."""
    RELAYING = 1
    """The exchange is relaying it."""
    STREAMING = 2
    """The client is being sent an answer that is not complete yet."""
    LINGERING = 3
    """It was answered, and the rest of its body is discarded."""
    OVER = 4


_ASKING: Final = _Stage.ASKING
_RELAYING: Final = _Stage.RELAYING
_STREAMING: Final = _Stage.STREAMING
_LINGERING: Final = _Stage.LINGERING
_OVER: Final = _Stage.OVER
_NEW: Final = Phase.NEW
_CONNECTING: Final = Phase.CONNECTING


class SocketFront:
    """The front of one upload. Times are those of the monotonic clock, in seconds."""

    __slots__ = (
        "_admitted", "_answered_at", "_client", "_end", "_head", "_last", "_left", "_passing",
        "_sent", "_services", "_span", "_stage", "_started", "_task", "_ticket", "_too_slow",
        "exchange",
    )  # fmt: skip

    def __init__(
        self,
        client: ClientSide,
        services: Services,
        admitted: Admitted,
        head: RawRequestMessage,
        started: float,
    ) -> None:
        """Answer the upload with this `head`; its last byte arrived at `started`."""
        self._client = client
        self._services = services
        self._head = head
        self._started = started
        self._sent = 0
        """Bytes of the answer's body."""
        self._span: Span | None = None
        self._ticket: Ticket | None = None
        self._task: asyncio.Task[None] | None = None
        self._stage = _RELAYING
        self._last = head.should_close
        """Whether the connection is closed after this request."""
        self._too_slow = False
        """Whether the answer said so, so that the client is not waited for any longer."""
        self._left = 0
        """Bytes still to come of a body after its answer."""
        self._passing = LINGER_BYTES
        """How many of them are discarded at most."""
        self._answered_at = 0.0
        self._end: asyncio.Future[None] | None = None
        outgoing = headers.raw_of_relay(head.raw_headers, head.headers)
        if services.settings.tracing and (span := tracing.begin(head.headers)) is not None:
            self._span = span
            admitted = replace(admitted, trace=span.carrier)
            outgoing = headers.with_trace(outgoing, span.carrier)
        self._admitted = admitted
        self.exchange = Exchange(services.relays, admitted, outgoing, self)

    def begin(self) -> None:
        """Have the upload relayed, once its subject's quota allows it."""
        _OPEN.value += 1
        self._services.slots.taken += 1
        if (quotas := self._services.quotas) is not None:
            self._stage = _ASKING
            self._client.pause()
            self._task = self._client.loop.create_task(self._ask(quotas))
            return
        if "Expect" in self._head.headers:
            self._client.send(wire.CONTINUE)
        relay_phases().auth.observe(time.monotonic() - self._started)
        self.exchange.begin()

    @property
    def waits_since(self) -> float | None:
        """Since when only the rest of an answered body is expected; None before."""
        return self._answered_at if self._stage is _LINGERING else None

    async def wait_for_end(self, seconds: float | None) -> None:
        """Return when the upload is over, or after `seconds`."""
        self._end = self._end or self._client.loop.create_future()
        await asyncio.wait([self._end], timeout=seconds)

    # --- the client's side -----------------------------------------------------------------------

    def let_pass(self, data: bytes) -> bytes:
        """Discard the next bytes of an answered body; returns what is beyond its end."""
        data, rest = data[: self._left], data[self._left :]
        self._left -= len(data)
        self._passing -= len(data)
        if self._stage is _LINGERING:
            if not self._left:
                self._leave(reusable=True)
            elif self._passing < 0:
                self._leave(reusable=False)
        return rest

    def client_lost(self) -> None:
        """Handle the client's disconnection."""
        if self._stage is _RELAYING:
            self.exchange.client_lost()
        elif self._stage is _STREAMING:
            self._cut(_CLIENT_LOST)
            self._leave(reusable=False)
        elif self._stage is _LINGERING:
            self._leave(reusable=False)

    def look(self, now: float) -> None:
        """Stop waiting for the rest of an answered body if it takes too long."""
        if now - self._answered_at > (TOO_SLOW_SECONDS if self._too_slow else LINGER_SECONDS):
            self._leave(reusable=False)

    # --- the exchange's side ---------------------------------------------------------------------

    def pause(self) -> None:
        """Stop reading the body for now; make reads smaller if the upstream is too slow."""
        self._client.pause()
        if self.exchange.phase is not _CONNECTING:
            self._client.narrow()

    def resume(self) -> None:
        """Resume reading it."""
        self._client.resume()

    def answer(
        self, head: RawResponseMessage, held: bytes, rest: aiohttp.StreamReader | None
    ) -> None:
        """Send the client the upstream's answer: the `held` part of its body, then the `rest`."""
        self._left = self.exchange.left
        whole = held if rest is None else None
        try:
            opening, chunked = answer.opening_of(head, whole, self._own_lines(), time.time())
        except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours is a 500
            self.exchange.close()
            self.refuse(error)
            return
        self._sent += len(held)
        self._client.send(opening + (wire.chunk(held) if chunked and held else held))
        if rest is None:
            self._finish(head.code)
        elif not self._client.connected:  # nobody would tell of its end
            self._cut(_CLIENT_LOST)
            self._leave(reusable=False)
        else:
            self._stage = _STREAMING
            self._client.give_to(self.let_pass)
            work = self._stream(head.code, rest, chunked=chunked)
            self._task = self._client.loop.create_task(work)

    def refuse(self, error: Exception) -> None:
        """Answer the client with the problem that stopped its upload."""
        self._left = self.exchange.left
        self._too_slow = isinstance(error, BodyTimeout)
        self._last = self._last or self._too_slow
        problem = problem_of(error)
        self._log(problem, error)
        whole, size = answer.of_problem(problem, self._ids(), self._own_lines(), time.time())
        self._client.send(whole)
        self._sent += size
        self._finish(problem.kind.status)

    # --- within ----------------------------------------------------------------------------------

    async def _ask(self, quotas: Quotas) -> None:
        """Ask for the body and relay it, if the subject's quota allows it."""
        admitted = self._admitted
        demand = Demand(admitted.content_length, admitted.upload_id)
        expects = "Expect" in self._head.headers
        try:
            self._ticket = await quotas.take(admitted.principal.subject, demand)
        except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours is a 500
            # A client that was not asked for its body may send it anyway, or the next request.
            self._last = self._last or expects
            self._stage = _RELAYING
            self.exchange.fail(error)
            return
        self._stage = _RELAYING
        if expects:
            self._client.send(wire.CONTINUE)
        relay_phases().auth.observe(time.monotonic() - self._started)
        if not self._client.connected:  # it went away in the meantime
            self.exchange.client_lost()
        if self.exchange.phase is _NEW:
            self._client.resume()
            self.exchange.begin()

    async def _stream(self, status: int, rest: aiohttp.StreamReader, *, chunked: bool) -> None:
        patience = self._services.settings.upstream_timeout
        try:
            while data := await read_on(rest, patience):
                self._sent += len(data)
                self._client.send(wire.chunk(data) if chunked else data)
                await self._client.drained()
        except Exception as error:  # noqa: BLE001 - the answer has begun: it can only be cut
            self._cut(str(error))
            self._client.cut()
            return
        if chunked:
            self._client.send(wire.chunk(b""))
        self.exchange.close()
        self._finish(status)

    def _own_lines(self) -> list[tuple[bytes, bytes]]:
        own = [
            (b"X-Request-Id", self._admitted.request_id.encode()),
            (b"Upload-Id", self._admitted.upload_id.encode()),
        ]
        if self._ticket is not None:
            own += wire.lines(self._ticket.fields.items())
        # A body with more left than is discarded would never finish.
        self._last = self._last or self._services.drain.closing or self._left > LINGER_BYTES
        if self._last:
            own.append((b"Connection", b"close"))
        return own

    def _log(self, problem: Problem, error: Exception) -> None:
        """Log and count a problem, as the middleware does for other requests."""
        PROBLEMS.add(problem.kind.slug)
        ids = self._ids()
        if isinstance(error, UploadAborted):
            log.info("request.aborted", reason=str(error), **ids)
        elif not isinstance(error, GatewayError | MultipartError):
            log.error("request.failed", exc_info=error, **ids)
        if problem.kind.status >= _SERVER_FAULT:
            log.warning("request.problem", slug=problem.kind.slug, detail=problem.detail, **ids)

    def _finish(self, status: int) -> None:
        """Discard the rest of the body: the client has its answer."""
        left, connected = self._left, self._client.connected
        self._tell(status, aborted=bool(left) and not connected)
        if not left or not connected:
            self._leave(reusable=True)
            return
        self._stage = _LINGERING
        self._answered_at = time.monotonic()
        self._client.give_to(self.let_pass)
        self._services.relays.under_way.add(self)
        if self._last:
            self._client.end_answers()
        self._client.resume()

    def _tell(self, status: int, *, aborted: bool) -> None:
        """Log and count the outcome; `aborted`: the client left before its body was complete."""
        seconds = time.monotonic() - self._started
        target = self._admitted.target
        log_request(
            method=target.method,
            path=logged_path(target.path),
            status=status,
            seconds=seconds,
            client=self._services.client_of(self._client.peername, self._head.headers),
            **self._ids(),
        )
        self._count(ABORTED if aborted else status, seconds)

    def _cut(self, reason: str) -> None:
        """Log that the answer broke off, and close the connection."""
        self._stage = _LINGERING  # until the connection is closed
        self.exchange.close()
        log.warning("request.cut", reason=reason, **self._ids())
        self._count(CUT, time.monotonic() - self._started)

    def _count(self, status: int | str, seconds: float) -> None:
        route = self._admitted.route
        received = (self._admitted.content_length or 0) - self._left
        tally_of(route.name, route.delivery.value, status).count(seconds, received, self._sent)
        if self._span is not None:
            tracing.end_relay(self._span, self._admitted, status)
            self._span = None

    def _ids(self) -> dict[str, str]:
        """The ids that log events name the upload by."""
        return {"request_id": self._admitted.request_id, "upload_id": self._admitted.upload_id}

    def _leave(self, *, reusable: bool) -> None:
        if self._stage is _OVER:
            return
        self._stage = _OVER
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._services.relays.under_way.discard(self)
        _OPEN.value -= 1
        self._services.slots.taken -= 1
        if self._ticket is not None:
            self._ticket.end((self._admitted.content_length or 0) - self._left)
        if self._end is not None and not self._end.done():
            self._end.set_result(None)
        self._client.upload_ended(reusable=reusable and not self._last)
