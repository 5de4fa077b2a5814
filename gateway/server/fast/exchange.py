"""One upload on its way through: chunks to the upstream as they come, its answer to the client."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Final, Protocol

import aiohttp
from aiohttp.http import RawRequestMessage, RawResponseMessage

from gateway.delivery import relay
from gateway.delivery.admitted import OUTLIVED, Admitted
from gateway.delivery.pool import UpstreamConnection
from gateway.delivery.tap import Tap
from gateway.errors import (
    AuthorizationEnded,
    BodyTimeout,
    GatewayError,
    UploadAborted,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.limits.quota import Demand
from gateway.limits.shared_quota import Quotas, Ticket
from gateway.metrics.catalogue import OPEN_UPLOADS
from gateway.problems import problem_of
from gateway.records.relay_batch import KEPT_SECONDS, not_kept
from gateway.server.admission.body import SILENT, TOO_SLOW
from gateway.server.connection.linger import LINGER_BYTES, LINGER_SECONDS, TOO_SLOW_SECONDS
from gateway.server.fast import answer, wire
from gateway.server.fast.account import Account
from gateway.server.fast.waiting import Waiting
from gateway.server.fields import headers
from gateway.server.services import Services
from gateway.telemetry import get_logger
from gateway.uploads.record import Upload
from gateway.upstream.connections import ends_after

log = get_logger(__name__)

_SMALLEST_READ: Final = 64 * 1024
_LARGEST_READ: Final = 1024 * 1024
"""Bytes that one read may take: the more, the less it costs, and the more waits to be sent.

A client that fills its reads gets larger ones, an upstream that does not keep up smaller ones.
"""

_OPEN: Final = OPEN_UPLOADS.of("relay")


class ClientSide(Protocol):
    """What an exchange asks of the connection to its client."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that the connection lives on."""

    @property
    def connected(self) -> bool:
        """Whether the client is still there."""

    @property
    def peername(self) -> object:
        """The client's address."""

    @property
    def writing_paused(self) -> bool:
        """Whether more was sent than the client takes."""

    def send(self, data: bytes) -> None:
        """Send to the client, if it is still there."""

    async def drained(self) -> None:
        """Wait until the client has taken most of what was sent, or has gone."""

    def pause(self) -> None:
        """Take no more from the client for now."""

    def resume(self) -> None:
        """Take more from the client."""

    def widen(self) -> int:
        """Take a lot by one read from now on, and return how much it is."""

    def set_read_size(self, size: int) -> None:
        """Take at most so many bytes by one read."""

    def end_answers(self) -> None:
        """Send nothing more, and go on reading."""

    def cut(self) -> None:
        """End the connection where it stands."""

    def exchange_ended(self, *, reusable: bool) -> None:
        """The exchange is over; `reusable`: the next request may follow on the connection."""


class Exchange:
    """Pumps one admitted upload; what happens on either connection ends up here."""

    __slots__ = (
        "_account", "_active", "_admitted", "_answered", "_client", "_end", "_full", "_head",
        "_keeping", "_last", "_left", "_over", "_passing", "_read_size", "_services", "_tap",
        "_task", "_ticket", "_too_slow", "_unsent", "_upstream", "_waiting",
    )  # fmt: skip

    def __init__(
        self, client: ClientSide, services: Services, admitted: Admitted, head: RawRequestMessage
    ) -> None:
        self._client = client
        self._services = services
        self._admitted = admitted
        self._head = head
        self._left = admitted.content_length or 0
        self._tap = Tap(admitted.boundaries, services.settings.hash)
        self._account = Account(services, admitted, head)
        self._active = self._account.started
        self._read_size = client.widen()
        self._unsent = b""
        """The request's head, and what came of its body before it could be sent."""
        self._upstream: UpstreamConnection | None = None
        self._full = False
        self._waiting = Waiting()
        self._task: asyncio.Task[None] | None = None
        self._ticket: Ticket | None = None
        self._keeping = 0.0
        """Since when the record is being kept; 0 if it is not."""
        self._answered = False
        self._last = head.should_close
        """Whether no other request may follow on the connection."""
        self._passing = LINGER_BYTES
        """Bytes that may still come of a body that was answered already."""
        self._too_slow = False
        """Whether the client was told so, and is not waited for any longer."""
        self._over = False
        self._end: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """Ask for the body, and find a connection to the upstream."""
        self._services.exchanges.add(self)
        _OPEN.value += 1
        self._services.slots.taken += 1
        received = self._head
        target = self._admitted.target
        pool = self._services.pool
        outgoing = headers.raw_of_relay(received.raw_headers, received.headers)
        if self._services.settings.tracing:
            outgoing = self._account.trace(outgoing)
            self._admitted = self._account.admitted  # which names the span, as its record will
        self._unsent = wire.request_head(target.method, target.path, pool.host, outgoing)
        if (quotas := self._services.quotas) is not None:
            self._client.pause()
            self._run(self._ask(quotas))
            return
        if "Expect" in received.headers:
            self._client.send(wire.CONTINUE)
        if (connection := pool.take()) is not None:
            self._attach(connection)
        else:
            self._client.pause()
            self._run(self._connect())

    @property
    def waits_since(self) -> float | None:
        """Since when nothing but the rest of an answered body may come; None before."""
        return self._active if self._lingers else None

    async def wait_for_end(self, seconds: float | None) -> None:
        """Return when the exchange is over, or after so many seconds."""
        self._end = self._end or self._client.loop.create_future()
        await asyncio.wait([self._end], timeout=seconds)

    def look(self, now: float) -> None:
        """Close the exchange if the party whose turn it is has been silent for too long."""
        if self._keeping:
            self._look_at_record(now)
        elif self._left and not self._answered and self._is_outlived():
            self._close(AuthorizationEnded(OUTLIVED))
        else:
            self._look_at_silence(now, now - self._active)

    def _look_at_record(self, now: float) -> None:
        if now - self._keeping > KEPT_SECONDS:
            self._close(not_kept())

    def _look_at_silence(self, now: float, silence: float) -> None:
        if self._lingers:
            if silence > (TOO_SLOW_SECONDS if self._too_slow else LINGER_SECONDS):
                self._leave(reusable=False)
        elif self._left and not self._full and self._task is None:
            self._look_at_body(now, silence)
        elif self._answered and self._client.writing_paused:
            self._active = now  # the client is to act, which its connection sees to
        elif silence > self._services.settings.upstream_timeout:
            self._close(
                UpstreamTimeout(
                    "ChatKitty did not answer in time", outcome_unknown=not self._unsent
                )
            )

    def _look_at_body(self, now: float, silence: float) -> None:
        keeps_up = self._waiting.keeps_up(now, self._received, self._services.floor)
        if silence > self._services.settings.body_timeout:
            self._close(BodyTimeout(SILENT))
        elif not keeps_up:
            self._close(BodyTimeout(TOO_SLOW))

    def _is_outlived(self) -> bool:
        until = self._admitted.body_until
        return until is not None and time.time() > until

    # --- the client's side -----------------------------------------------------------------------

    def client_sends(self, data: bytes) -> bytes:
        """Take the next bytes of the body; returns what is beyond its end."""
        if len(data) > self._left:
            data, rest = data[: self._left], data[self._left :]
        else:
            rest = b""
        if not data:
            return rest
        self._left -= len(data)
        if self._answered:
            self._let_pass(len(data))
            return rest
        self._account.received_at = self._active = time.monotonic()
        if len(data) == self._read_size < _LARGEST_READ:
            self._set_read_size(self._read_size * 2)
        self._tap.observe(data)
        if self._upstream is None:
            self._unsent += data
        elif self._unsent:
            self._upstream.write(self._unsent + data)
            self._unsent = b""
        else:
            self._upstream.write(data)
        return rest

    def _let_pass(self, size: int) -> None:
        """So many more bytes have come of a body that was answered already."""
        self._passing -= size
        if not self._left:
            self._leave(reusable=True)
        elif self._passing < 0:
            self._leave(reusable=False)

    def client_lost(self) -> None:
        """The client has gone: an upload that is not whole goes no further."""
        if self._answered:
            self._leave(reusable=False)
        elif self._left and self._task is None and not self._keeping:
            log.info("request.aborted", reason="the client went away", **self._account.ids())
            self._close(UploadAborted("the body ended before it was complete"))

    # --- the upstream's side ---------------------------------------------------------------------

    def upstream_full(self) -> None:
        """Slow the client down to what the upstream takes."""
        self._full = self._waiting.held = True
        self._active = time.monotonic()
        if not self._answered:
            self._client.pause()
            self._set_read_size(max(_SMALLEST_READ, self._read_size // 2))

    def upstream_drained(self) -> None:
        """Let the client go on."""
        self._full = False
        self._active = time.monotonic()
        self._client.resume()

    def upstream_lost(self, why: str) -> None:
        """The upstream has gone without an answer that could be passed on."""
        self._close(UpstreamUnavailable(why, outcome_unknown=not self._unsent))

    def upstream_answers(
        self, head: RawResponseMessage, body: aiohttp.StreamReader, whole: bytes | None
    ) -> None:
        """The upstream answers, perhaps before it has read all of the body."""
        self._active = time.monotonic()
        if whole is not None:
            self._guard(lambda: self._keep(head, whole, None))
        elif body.is_eof():
            self._guard(lambda: self._keep(head, body.read_nowait(), None))
        else:
            self._run(self._hold(head, body))

    # --- within ----------------------------------------------------------------------------------

    @property
    def _lingers(self) -> bool:
        return self._answered and self._upstream is None

    @property
    def _received(self) -> int:
        return (self._admitted.content_length or 0) - self._left

    def _set_read_size(self, size: int) -> None:
        self._read_size = size
        self._client.set_read_size(size)

    async def _ask(self, quotas: Quotas) -> None:
        """Ask for the body, and go on, if the subject's quota allows it."""
        admitted = self._admitted
        demand = Demand(admitted.content_length, admitted.upload_id)
        expects = "Expect" in self._head.headers
        try:
            self._ticket = await quotas.take(admitted.principal.subject, demand)
        except GatewayError:
            # Who was not asked for its body may send that all the same, or the next request.
            self._last = self._last or expects
            raise
        if expects:
            self._client.send(wire.CONTINUE)
        await self._connect()

    async def _connect(self) -> None:
        pool = self._services.pool
        connection = pool.take() or await pool.connect()
        self._task = None
        self._attach(connection)
        if self._left and not self._client.connected:  # it went away in the meantime
            self.client_lost()
            return
        if self._received:
            connection.write(self._unsent)
            self._unsent = b""
        self._client.resume()

    def _attach(self, connection: UpstreamConnection) -> None:
        self._upstream = connection
        connection.begin(self)

    async def _hold(self, head: RawResponseMessage, body: aiohttp.StreamReader) -> None:
        held = await relay.hold(body, self._services.settings.upstream_timeout)
        self._keep(head, held, None if body.at_eof() else body)

    def _keep(
        self, head: RawResponseMessage, held: bytes, rest: aiohttp.StreamReader | None
    ) -> None:
        """Hold the answer until the record of an upload that the upstream took is kept.

        `rest` is where the body goes on behind what is `held` of it, None if that is all.
        """
        if head.code not in relay.SUCCESS:
            self._answer(head, held, rest)
            return
        seen = relay.observed(self._tap, ended=not self._left)
        answered = relay.AnswerHead(head.code, head.headers)
        upload = relay.record_of(self._admitted, seen, answered, held)
        self._keeping = time.monotonic()
        self._services.backends.ledger.keep_relayed(
            upload,
            len(self._services.exchanges),
            lambda error: self._kept(upload, error, lambda: self._answer(head, held, rest)),
        )

    def _kept(self, upload: Upload, error: Exception | None, answer: Callable[[], None]) -> None:
        self._keeping = 0.0
        if error is None:
            self._services.relay.hand_over(upload)
        if self._answered:
            return
        if error is not None:
            self._close(error)
        else:
            self._guard(answer)  # other uploads were kept with this one, and are told after it

    def _answer(
        self, head: RawResponseMessage, held: bytes, rest: aiohttp.StreamReader | None
    ) -> None:
        """Give the client the upstream's answer: what is `held` of it, then what comes."""
        whole = held if rest is None else None
        opening, chunked = answer.opening_of(head, whole, self._own_lines(), time.time())
        self._answered = True
        self._active = time.monotonic()
        self._account.sent += len(held)
        if not self._left:
            self._account.answered(self._active)
        self._client.send(opening + (wire.chunk(held) if chunked and held else held))
        if rest is None:
            self._finish(head.code)
        else:
            self._run(self._stream(head.code, rest, chunked=chunked))

    async def _stream(self, status: int, body: aiohttp.StreamReader, *, chunked: bool) -> None:
        while data := await body.readany():
            self._active = time.monotonic()
            self._account.sent += len(data)
            self._client.send(wire.chunk(data) if chunked else data)
            await self._client.drained()
        if chunked:
            self._client.send(wire.chunk(b""))
        self._finish(status)

    def _own_lines(self) -> list[tuple[bytes, bytes]]:
        own = [
            (b"X-Request-Id", self._admitted.request_id.encode()),
            (b"Upload-Id", self._admitted.upload_id.encode()),
        ]
        if self._ticket is not None:
            own += wire.lines(self._ticket.fields.items())
        # More of the body than is let pass would never come to its end.
        self._last = self._last or self._services.drain.closing or self._left > LINGER_BYTES
        if self._last:
            own.append((b"Connection", b"close"))
        return own

    def _run(self, work: Coroutine[None, None, None]) -> None:
        self._task = self._client.loop.create_task(self._guarded(work))

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours is a 500
            self._close(error)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except aiohttp.ClientError:
            self._close(UpstreamUnavailable("ChatKitty's answer broke off", outcome_unknown=True))
        except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours is a 500
            self._close(error)

    def _close(self, error: Exception) -> None:
        """End without an answer of the upstream's: a problem is the answer, or the cut."""
        if self._over:
            return
        self._keeping = 0.0
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()  # nothing is to be sent for a request that was given up
        if self._answered:
            self._account.cut(error, self._received)
            self._client.cut()
            return
        problem = problem_of(error)
        self._account.problem(problem, error)
        self._answered = True
        self._too_slow = isinstance(error, BodyTimeout)
        self._last = self._last or self._too_slow
        whole, size = answer.of_problem(
            problem, self._account.ids(), self._own_lines(), time.time()
        )
        self._client.send(whole)
        self._account.sent += size
        self._finish(problem.kind.status)

    def _finish(self, status: int) -> None:
        """The client has its answer: let the upstream go, and what is left of the body pass."""
        if self._upstream is not None:
            self._upstream.end(reusable=not self._left and not ends_after(status))
        self._upstream = None
        aborted = bool(self._left) and not self._client.connected
        self._account.finished(status, self._client.peername, self._received, aborted=aborted)
        if not self._left or not self._client.connected:
            self._leave(reusable=True)
        else:
            self._active = time.monotonic()
            if self._last:
                self._client.end_answers()
            self._client.resume()

    def _leave(self, *, reusable: bool) -> None:
        if self._over:
            return
        self._over = True
        if self._upstream is not None:
            self._upstream.end(reusable=False)
            self._upstream = None
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._services.exchanges.discard(self)
        _OPEN.value -= 1
        self._services.slots.taken -= 1
        if self._ticket is not None:
            self._ticket.end(self._received)
        if self._end is not None and not self._end.done():
            self._end.set_result(None)
        self._client.exchange_ended(reusable=reusable and not self._last)
