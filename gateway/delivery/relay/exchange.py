"""One upload on its way to the upstream: its body, its record, and the upstream's answer.

A state machine that touches no socket. Its front (which speaks to the client), the upstream's
connection, the ledger and a clock notify it of events. `phase` has the table of legal moves.
"""

import asyncio
import math
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

import aiohttp
from aiohttp.http import RawResponseMessage

from gateway import crash
from gateway.delivery.admitted import OUTLIVED, Admitted
from gateway.delivery.relay import wire
from gateway.delivery.relay.body_clock import BodyClock
from gateway.delivery.relay.parties import Front, Relays, Upstream
from gateway.delivery.relay.phase import (
    ENDS_WITH_CLIENT,
    MOVES,
    TO_ACT,
    Event,
    Phase,
    Side,
)
from gateway.delivery.relay.record import ANSWER_LIMIT, SUCCESS, observed, record_of
from gateway.delivery.relay.tap import Tap
from gateway.errors import (
    AuthorizationEnded,
    UploadAborted,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.metrics.requests import relay_phases
from gateway.records.bucket import Entry
from gateway.records.relay_batch import KEPT_SECONDS, not_kept
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Upload
from gateway.upstream.connections import ends_after

_CUT: Final = "ChatKitty's answer broke off"
_SLOW: Final = "ChatKitty did not answer in time"
_ABORTED: Final = "the body ended before it was complete"

# Module names, since looking up a member of an enumeration is slow (docs/decisions/0005).
_NEW: Final = Phase.NEW
_RECEIVING: Final = Phase.RECEIVING
_AWAITING: Final = Phase.AWAITING
_HOLDING: Final = Phase.HOLDING
_KEEPING: Final = Phase.KEEPING
_ANSWERING: Final = Phase.ANSWERING
_OVER: Final = Phase.OVER
_BEGUN: Final = Event.BEGUN
_CONNECTED: Final = Event.CONNECTED
_SENT: Final = Event.SENT
_FULL: Final = Event.FULL
_DRAINED: Final = Event.DRAINED
_STALE: Final = Event.STALE
_ANSWERED: Final = Event.ANSWERED
_TAKEN: Final = Event.TAKEN
_DECLINED: Final = Event.DECLINED
_KEPT: Final = Event.KEPT
_READ: Final = Event.READ
_FAILED: Final = Event.FAILED
_RELAY_ANSWERED: Final = crash.Point.RELAY_ANSWERED
_RELAY_KEPT: Final = crash.Point.RELAY_KEPT
_AUDIT: Final = Step.AUDIT


class Exchange:
    """One admitted upload.

    Its front calls `begin`, then `client_sends` with the bytes of the body as they arrive. If the
    body has no known length, `end_of_body` marks its end. The exchange ends by calling the front's
    `answer` or `refuse`.
    """

    __slots__ = (
        "_acted_at", "_admitted", "_answer_head", "_chunked", "_clock", "_entry", "_front", "_held",
        "_keeping_since", "_length", "_phase", "_received_at", "_relays", "_rest", "_reused",
        "_started", "_tap", "_task", "_unsent", "_upload", "_upstream", "_write", "left",
    )  # fmt: skip

    _front: Front
    """None once the exchange is over: a reference cycle would wait for the garbage collector."""

    _answer_head: RawResponseMessage
    _held: bytes
    _upload: Upload

    def __init__(
        self,
        relays: Relays,
        admitted: Admitted,
        headers: Sequence[tuple[bytes, bytes]],
        front: Front,
        entry: Entry | None = None,
    ) -> None:
        """Relay the upload with these `headers` (without `Host`), on behalf of `front`.

        If the upload has a record in the bucket already, `entry`, its record replaces that one.
        """
        self._relays = relays
        self._admitted = admitted
        self._front = front
        self._entry = entry
        self._phase = _NEW
        length = admitted.content_length
        self._chunked = length is None
        if length is None:
            headers = [*headers, (b"Transfer-Encoding", b"chunked")]
            length = sys.maxsize
        self.left = self._length = length
        """Bytes of the body that are still to come, if its length is known."""
        target = admitted.target
        self._unsent = wire.request_head(target.method, target.path, relays.pool.host, headers)
        """The request's head, and the part of its body that arrived before it could be sent."""
        self._tap = Tap(admitted.boundaries, relays.hash)
        self._clock = BodyClock()
        self._started = self._received_at = self._acted_at = time.monotonic()
        """When it began; when the client last sent bytes; when the upstream last did anything."""
        self._keeping_since = 0.0
        self._upstream: Upstream | None = None
        self._reused = False
        """Whether the upstream's connection had carried another request before."""
        self._write: Callable[[bytes], None] = _forget
        self._rest: aiohttp.StreamReader | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def phase(self) -> Phase:
        """The phase of the exchange."""
        return self._phase

    @property
    def received(self) -> int:
        """Bytes of the body that have arrived."""
        return self._length - self.left

    # --- the front's side ------------------------------------------------------------------------

    def begin(self) -> None:
        """Find a connection to the upstream."""
        self._phase = MOVES[self._phase][_BEGUN]
        self._acted_at = time.monotonic()
        self._relays.under_way.add(self)
        if (connection := self._relays.pool.take()) is not None:
            self._reused = True
            self._send_by(connection)
        else:
            self._front.pause()
            self._run(self._connect())

    def client_sends(self, data: bytes) -> bytes:
        """Send the next bytes of the body on; returns what is beyond its end."""
        if len(data) > self.left:
            data, rest = data[: self.left], data[self.left :]
        else:
            rest = b""
        if not data:
            return rest
        self.left -= len(data)
        self._received_at = time.monotonic()
        self._tap.observe(data)
        if self._chunked:
            data = wire.chunk(data)
        if not self._unsent:
            self._write(data)
        elif self._upstream is None:
            self._unsent += data
        else:
            self._write(self._unsent + data)
            self._unsent = b""
        if not self.left and _RECEIVING <= self._phase <= _KEEPING:
            self._phase = MOVES[self._phase][_SENT]
        return rest

    def end_of_body(self) -> None:
        """Finish a body without a known length."""
        if not self._chunked or not self.left:
            return
        self._length, self.left = self.received, 0
        if self._upstream is None:
            self._unsent += _LAST_CHUNK
            return
        self._write(self._unsent + _LAST_CHUNK)
        self._unsent = b""
        if self._phase <= _KEEPING:
            self._phase = MOVES[self._phase][_SENT]

    def client_lost(self) -> None:
        """Handle the client's disconnection: an incomplete upload is aborted."""
        self.client_fails(UploadAborted(_ABORTED))

    def client_fails(self, error: Exception) -> None:
        """End it with `error`, because the rest of its body is late, invalid or not accepted.

        Once the upstream has begun to answer, only its answer decides about the upload.
        """
        if self.left and self._phase in ENDS_WITH_CLIENT:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """End it with `error`, if the upstream has not answered yet."""
        if self._phase < _ANSWERING:
            front = self._front
            self._let_go()
            front.refuse(error)

    def close(self) -> None:
        """End it: the front needs no more of the answer."""
        if self._phase is _ANSWERING and self._rest is not None and self._rest.at_eof():
            self._end()
        elif self._phase is not _OVER:
            self._let_go()

    # --- the clock's side ------------------------------------------------------------------------

    def look(self, now: float) -> None:
        """Abort it if the side that must act has been silent for too long."""
        if self.left and self._phase in ENDS_WITH_CLIENT and self._is_outlived():
            self.fail(AuthorizationEnded(OUTLIVED))
            return
        match TO_ACT[self._phase]:
            case Side.CLIENT:
                self._look_at_client(now)
            case Side.UPSTREAM:
                self._look_at_upstream(now)
            case Side.LEDGER:
                if now - self._keeping_since > self._keeping_seconds:
                    self.fail(not_kept())

    def _look_at_client(self, now: float) -> None:
        since, terms = max(self._received_at, self._acted_at), self._relays
        fault = self._clock.fault(
            now, self.received, since, patience=terms.body_timeout, floor=terms.floor
        )
        if fault is not None:
            self.fail(fault)

    def _look_at_upstream(self, now: float) -> None:
        since = self._acted_at
        if self._phase is _AWAITING:
            since = max(since, self._received_at)
        if now - since <= self._relays.upstream_timeout:
            return
        if self._phase is _HOLDING:
            self.fail(UpstreamUnavailable(_CUT, outcome_unknown=True))
        else:
            self.fail(UpstreamTimeout(_SLOW, outcome_unknown=not self._unsent))

    @property
    def _keeping_seconds(self) -> float:
        """How long to wait for the ledger: no limit if the upload has a record already."""
        return KEPT_SECONDS if self._entry is None else math.inf

    def _is_outlived(self) -> bool:
        until = self._admitted.body_until
        return until is not None and time.time() > until

    # --- the upstream's side ---------------------------------------------------------------------

    def upstream_full(self) -> None:
        """Slow the client down to the upstream's pace."""
        self._phase = MOVES[self._phase][_FULL]
        self._clock.held = True
        self._acted_at = time.monotonic()
        if self._phase is not _ANSWERING:
            self._front.pause()

    def upstream_drained(self) -> None:
        """Let the client continue."""
        self._phase = MOVES[self._phase][_DRAINED]
        self._acted_at = time.monotonic()
        self._front.resume()

    def upstream_lost(self, why: str) -> None:
        """Handle an upstream that disconnected without an answer that could be passed on."""
        if self._reused and self._phase is _RECEIVING and self._unsent:  # nothing was sent yet
            self._phase = MOVES[self._phase][_STALE]
            self._upstream, self._reused = None, False
            self._front.pause()
            self._run(self._connect())
            return
        self.fail(UpstreamUnavailable(why, outcome_unknown=not self._unsent))

    def upstream_answers(
        self, head: RawResponseMessage, body: bytes | aiohttp.StreamReader
    ) -> None:
        """Handle the upstream's answer, which may come before it has read all of the body."""
        self._answer_head = head
        self._acted_at = time.monotonic()
        if not isinstance(body, bytes):
            if not body.is_eof():
                self._phase = MOVES[self._phase][_ANSWERED]
                self._run(self._hold(body))
                return
            body = body.read_nowait()
        try:
            self._take(body, None)
        except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours is a 500
            self.fail(error)

    # --- within ----------------------------------------------------------------------------------

    async def _connect(self) -> None:
        connection = await self._relays.pool.connect()
        self._acted_at = time.monotonic()
        self._front.resume()  # first, since the buffered bytes may make the upstream full at once
        self._send_by(connection)

    def _send_by(self, connection: Upstream) -> None:
        self._phase = MOVES[self._phase][_CONNECTED]
        self._upstream = connection
        self._write = connection.write
        connection.begin(self, bodiless=self._admitted.target.method == "HEAD")
        if self.left and self.left == self._length:
            return
        connection.write(self._unsent)
        self._unsent = b""
        if not self.left:
            self._phase = MOVES[self._phase][_SENT]

    async def _hold(self, body: aiohttp.StreamReader) -> None:
        """Read the answer's body up to the limit; the rest stays in the stream."""
        held = bytearray()
        try:
            while len(held) <= ANSWER_LIMIT and (chunk := await body.readany()):
                self._acted_at = time.monotonic()
                held += chunk
        # aiohttp raises RuntimeError if the transport is gone and the reader does not know it.
        except (aiohttp.ClientError, RuntimeError) as error:
            raise UpstreamUnavailable(_CUT, outcome_unknown=True) from error
        self._take(bytes(held), None if body.at_eof() else body)

    def _take(self, held: bytes, rest: aiohttp.StreamReader | None) -> None:
        """Keep the record of an accepted upload before the client receives the answer."""
        crash.point(_RELAY_ANSWERED)
        head = self._answer_head
        self._held, self._rest = held, rest
        now = time.monotonic()
        if not self.left:
            phases = relay_phases()
            phases.body.observe(self._received_at - self._started)
            phases.upstream.observe(now - self._received_at)
        if head.code not in SUCCESS:
            self._give(_DECLINED)
            return
        seen = observed(self._tap, ended=not self.left)
        self._upload = upload = record_of(self._admitted, seen, head, held)
        self._phase = MOVES[self._phase][_TAKEN]
        self._keeping_since = now
        ledger = self._relays.ledger
        if self._entry is None:
            ledger.keep_relayed(upload, len(self._relays.under_way), self._kept)
        else:
            self._run(self._complete(upload, self._entry))

    async def _complete(self, upload: Upload, entry: Entry) -> None:
        await self._relays.ledger.complete_relayed(upload, entry)
        self._kept(None)

    def _kept(self, error: Exception | None) -> None:
        if error is None:
            crash.point(_RELAY_KEPT)
            self._relays.queue.send(_AUDIT, self._upload.id)
        if self._phase is not _KEEPING:  # it was aborted in the meantime
            return
        if error is None:
            self._give(_KEPT)
        else:
            self.fail(error)

    def _give(self, event: Event) -> None:
        """Have the front answer the client."""
        self._phase = MOVES[self._phase][event]
        self._write, self._unsent = _forget, b""
        front = self._front
        if self._rest is None:
            self._end()
        else:
            front.resume()  # a client may read only after it has sent all of its body
        front.answer(self._answer_head, self._held, self._rest)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._guarded(work))

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours is a 500
            self.fail(error)

    def _end(self) -> None:
        """Finish, since all of the answer was read."""
        self._phase = MOVES[self._phase][_READ]
        del self._front
        self._relays.under_way.discard(self)
        if self._upstream is not None:  # pragma: no branch - it has answered
            self._upstream.end(reusable=not self.left and not ends_after(self._answer_head.code))

    def _let_go(self) -> None:
        self._phase = MOVES[self._phase][_FAILED]
        del self._front
        self._write, self._unsent = _forget, b""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()  # nothing may be sent for an aborted request
        self._relays.under_way.discard(self)
        if self._upstream is not None:
            self._upstream.end(reusable=False)


def _forget(_: bytes) -> None:
    """Drop the bytes of a body that is not read any more."""


_LAST_CHUNK: Final = wire.chunk(b"")
