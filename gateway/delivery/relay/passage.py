"""One passed request on its way: its body to the upstream, and the answer back, in pieces.

A state machine that touches no socket. Its front (which speaks to the client), the upstream's
connection and a clock notify it of events. The tables below say which phase follows which, and
which side must act in each. It holds nothing back: the client receives the answer's head at once,
and the body piece by piece as it arrives.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Final, Protocol

import aiohttp
import msgspec
from aiohttp.http import RawResponseMessage

from gateway.delivery.forward import may_act
from gateway.delivery.relay.body_clock import BodyClock
from gateway.delivery.relay.parties import Passages, Upstream
from gateway.delivery.relay.phase import Side
from gateway.errors import UploadAborted, UpstreamTimeout, UpstreamUnavailable
from gateway.moves import table
from gateway.upstream.connections import ends_after

_CUT: Final = "ChatKitty's answer broke off"
_SLOW: Final = "ChatKitty did not answer in time"
_ABORTED: Final = "the body ended before it was complete"
_REQUEST_TIMEOUT: Final = 408
_REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be sent again if the first time failed (RFC 9110 section 9.2.2)."""


class Phase(IntEnum):
    """The phase of a passage."""

    NEW = 0
    """The upstream was not contacted yet."""
    CONNECTING = 1
    """Connecting to the upstream. Bytes of the body that arrive are buffered."""
    SENDING = 2
    """The body arrives and is sent on."""
    BLOCKED = 3
    """The upstream's write buffer is full: the client has to wait."""
    AWAITING = 4
    """All of the request was sent on."""
    ANSWERING = 5
    """The head of the answer was sent to the client, and its body follows as it arrives."""
    HELD = 6
    """The client does not keep up with the answer: the upstream has to wait."""
    OVER = 7
    """The passage has finished with the upstream."""


class Event(IntEnum):
    """What happens to a passage."""

    BEGUN = 0
    CONNECTED = 1
    SENT = 2
    """The last byte of the request was given to the upstream's connection."""
    FULL = 3
    """The upstream's write buffer is full."""
    DRAINED = 4
    """Most of the buffered bytes were sent."""
    STALE = 5
    """The connection had been idle for too long: the request is sent again on a new one."""
    ANSWERED = 6
    """The head of the answer has arrived."""
    STUCK = 7
    """The client's write buffer is full."""
    TAKEN = 8
    """The client took most of the buffered bytes."""
    READ = 9
    """All of the answer was read."""
    FAILED = 10
    """The passage is aborted: a fault, a time-out, or a client that has left."""


def _answered(phase: Phase, other: Phase) -> dict[Event, Phase]:
    """The moves of an answer; a body that is still arriving makes no difference to them."""
    return {
        Event.SENT: phase,
        Event.FULL: phase,
        Event.DRAINED: phase,
        Event.STUCK: Phase.HELD,
        Event.TAKEN: other,
        Event.READ: Phase.OVER,
        Event.FAILED: Phase.OVER,
    }


_ON_ITS_WAY: Final = {Event.ANSWERED: Phase.ANSWERING, Event.FAILED: Phase.OVER}
"""The answer may come before the end of the body, even before the upstream has read any of it."""

MOVES: Final[Mapping[Phase, Mapping[Event, Phase]]] = table(
    {
        Phase.NEW: {Event.BEGUN: Phase.CONNECTING, Event.FAILED: Phase.OVER},
        Phase.CONNECTING: {Event.CONNECTED: Phase.SENDING, Event.FAILED: Phase.OVER},
        Phase.SENDING: {
            Event.FULL: Phase.BLOCKED,
            Event.SENT: Phase.AWAITING,
            Event.STALE: Phase.CONNECTING,
            **_ON_ITS_WAY,
        },
        Phase.BLOCKED: {Event.DRAINED: Phase.SENDING, Event.SENT: Phase.AWAITING, **_ON_ITS_WAY},
        Phase.AWAITING: {
            Event.FULL: Phase.AWAITING,
            Event.DRAINED: Phase.AWAITING,
            Event.STALE: Phase.CONNECTING,
            **_ON_ITS_WAY,
        },
        Phase.ANSWERING: _answered(Phase.ANSWERING, Phase.ANSWERING),
        Phase.HELD: _answered(Phase.HELD, Phase.ANSWERING),
        Phase.OVER: {},
    }
)
"""The table of moves. An event that is not in it raises IllegalMoveError."""

TO_ACT: Final[Mapping[Phase, Side]] = {
    Phase.NEW: Side.FRONT,
    Phase.CONNECTING: Side.UPSTREAM,
    Phase.SENDING: Side.CLIENT,
    Phase.BLOCKED: Side.UPSTREAM,
    Phase.AWAITING: Side.UPSTREAM,
    Phase.ANSWERING: Side.UPSTREAM,
    Phase.HELD: Side.FRONT,
    Phase.OVER: Side.NOBODY,
}
"""The side that is waited for."""

# Module names, since looking up a member of an enumeration is slow (docs/decisions/0005).
_NEW: Final = Phase.NEW
_SENDING: Final = Phase.SENDING
_AWAITING: Final = Phase.AWAITING
_ANSWERING: Final = Phase.ANSWERING
_HELD: Final = Phase.HELD
_OVER: Final = Phase.OVER
_BEGUN: Final = Event.BEGUN
_CONNECTED: Final = Event.CONNECTED
_SENT: Final = Event.SENT
_FULL: Final = Event.FULL
_DRAINED: Final = Event.DRAINED
_STALE: Final = Event.STALE
_ANSWERED: Final = Event.ANSWERED
_STUCK: Final = Event.STUCK
_TAKEN: Final = Event.TAKEN
_READ: Final = Event.READ
_FAILED: Final = Event.FAILED


class Front(Protocol):
    """Speaks to the client. No method raises.

    The passage calls `refuse`; or it calls `answer` and then, unless that was `whole`, `finish` or
    `cut`.
    """

    def pause(self) -> None:
        """Stop reading the body for now."""

    def resume(self) -> None:
        """Resume reading it."""

    def answer(self, head: RawResponseMessage, begun: bytes, *, whole: bool) -> None:
        """Send the head of the upstream's answer, and the bytes that its body begins with.

        `whole`: these are all of its body.
        """

    def send(self, data: bytes) -> None:
        """Send the next bytes of the answer's body."""

    def finish(self) -> None:
        """All of the answer was sent."""

    def refuse(self, error: Exception) -> None:
        """Answer the client with the error that stopped its request."""

    def cut(self, reason: str) -> None:
        """Break the answer off: the rest of it will not come."""


class Request(msgspec.Struct, frozen=True):
    """A request for the upstream: its head as bytes, and the length of its body."""

    method: str
    head: bytes
    length: int


class Passage:
    """One passed request.

    Its front calls `begin`, then `client_sends` with the bytes of the body as they arrive, and
    reports whether the client keeps up with the answer by `client_full` and `client_drained`.
    """

    __slots__ = (
        "_acted_at", "_begun", "_clock", "_front", "_passages", "_phase", "_received_at",
        "_request", "_reused", "_status", "_task", "_unsent", "_upstream", "_write", "left",
    )  # fmt: skip

    _front: Front
    """None once the passage is over: a reference cycle would wait for the garbage collector."""

    _status: int

    def __init__(self, passages: Passages, request: Request, front: Front) -> None:
        """Pass the request on, on behalf of `front`."""
        self._passages = passages
        self._request = request
        self._front = front
        self._phase = _NEW
        self.left = request.length
        """Bytes of the body that are still to come."""
        self._unsent = request.head
        """The request's head, and the part of its body that arrived before it could be sent."""
        self._clock: BodyClock | None = BodyClock() if request.length else None
        self._received_at = self._acted_at = time.monotonic()
        """When the client last sent bytes, and when the upstream last did anything."""
        self._upstream: Upstream | None = None
        self._reused = False
        """Whether the upstream's connection had carried another request before."""
        self._begun = False
        """Whether anything was sent to the upstream."""
        self._write: Callable[[bytes], None] = _forget
        self._task: asyncio.Task[None] | None = None

    @property
    def phase(self) -> Phase:
        """The phase of the passage."""
        return self._phase

    @property
    def received(self) -> int:
        """Bytes of the body that have arrived."""
        return self._request.length - self.left

    # --- the front's side ------------------------------------------------------------------------

    def begin(self) -> None:
        """Find a connection to the upstream."""
        self._phase = MOVES[self._phase][_BEGUN]
        self._acted_at = time.monotonic()
        self._passages.under_way.add(self)
        if (connection := self._passages.pool.take()) is not None:
            self._reused = True
            self._send_by(connection)
        else:
            self._connect()

    def client_sends(self, data: bytes) -> bytes:
        """Send the next bytes of the body on; returns what is beyond its end."""
        data, rest = data[: self.left], data[self.left :]
        self.left -= len(data)
        if not data or self._phase is _OVER:
            return rest
        self._received_at = time.monotonic()
        if self._upstream is None:
            self._unsent += data
        else:
            unsent, self._unsent, self._begun = self._unsent, b"", True
            self._write(unsent + data)
        if not self.left and self._phase >= _SENDING:
            self._phase = MOVES[self._phase][_SENT]
        return rest

    def client_full(self) -> None:
        """Slow the upstream down to the client's pace."""
        if self._phase >= _ANSWERING and self._upstream is not None:
            self._phase = MOVES[self._phase][_STUCK]
            self._upstream.pause()

    def client_drained(self) -> None:
        """Let the upstream continue."""
        if self._phase >= _ANSWERING and self._upstream is not None:
            self._phase = MOVES[self._phase][_TAKEN]
            self._acted_at = time.monotonic()
            self._upstream.resume()

    def client_lost(self) -> None:
        """Handle the client's disconnection: no answer is needed any more."""
        self.fail(UploadAborted(_ABORTED))

    def fail(self, error: Exception) -> None:
        """End it with `error`; an answer that has begun is cut."""
        if self._phase is _OVER:
            return
        front, begun = self._front, self._phase >= _ANSWERING
        self._let_go()
        if begun:
            front.cut(str(error))
        else:
            front.refuse(error)

    def close(self) -> None:
        """End it: the front needs no more of the answer."""
        if self._phase is not _OVER:
            self._let_go()

    # --- the clock's side ------------------------------------------------------------------------

    def look(self, now: float) -> None:
        """Abort it if the side that must act has been silent for too long."""
        side = TO_ACT[self._phase]
        if side is Side.CLIENT and self._clock is not None:
            self._look_at_client(now, self._clock)
        elif side is Side.UPSTREAM:
            self._look_at_upstream(now)

    def _look_at_client(self, now: float, clock: BodyClock) -> None:
        since, terms = max(self._received_at, self._acted_at), self._passages
        fault = clock.fault(
            now, self.received, since, patience=terms.body_timeout, floor=terms.floor
        )
        if fault is not None:
            self.fail(fault)

    def _look_at_upstream(self, now: float) -> None:
        since = self._acted_at
        if self._phase is _AWAITING:
            since = max(since, self._received_at)
        if now - since <= self._passages.upstream_timeout:
            return
        if self._phase is _ANSWERING:
            self.fail(UpstreamUnavailable(_CUT))
        else:
            self.fail(UpstreamTimeout(_SLOW, outcome_unknown=self._may_act))

    # --- the upstream's side ---------------------------------------------------------------------

    def upstream_full(self) -> None:
        """Slow the client down to the upstream's pace."""
        self._phase = MOVES[self._phase][_FULL]
        if self._clock is not None:
            self._clock.held = True
        if self._phase < _ANSWERING:
            self._acted_at = time.monotonic()
        self._front.pause()

    def upstream_drained(self) -> None:
        """Let the client continue."""
        self._phase = MOVES[self._phase][_DRAINED]
        self._acted_at = time.monotonic()
        self._front.resume()

    def upstream_lost(self, why: str) -> None:
        """Handle an upstream that disconnected without an answer that could be passed on."""
        if self._is_stale and self._upstream is not None and not self._upstream.heard:
            self._repeat()
        else:
            self.fail(UpstreamUnavailable(why, outcome_unknown=self._may_act))

    def upstream_answers(
        self, head: RawResponseMessage, body: bytes | aiohttp.StreamReader
    ) -> None:
        """Handle the upstream's answer, which may come before it has read all of the body."""
        if head.code == _REQUEST_TIMEOUT and self._is_stale:
            self._repeat()
            return
        self._acted_at = time.monotonic()
        self._phase = MOVES[self._phase][_ANSWERED]
        if not isinstance(body, bytes) and body.is_eof():
            body = body.read_nowait()
        if isinstance(body, bytes):
            front = self._front
            self._end(head.code)
            front.answer(head, body, whole=True)
            return
        self._status = head.code
        self._front.answer(head, b"", whole=False)
        if self._upstream is not None:  # else the front has ended the passage
            self._upstream.stream(self)

    def upstream_sends(self, data: bytes) -> None:
        """Pass the next bytes of the answer's body on."""
        self._acted_at = time.monotonic()
        self._front.send(data)

    def upstream_ends(self) -> None:
        """Handle the end of the answer's body."""
        front = self._front
        self._end(self._status)
        front.finish()

    def upstream_breaks(self) -> None:
        """Handle an answer that breaks off."""
        self.fail(UpstreamUnavailable(_CUT))

    # --- within ----------------------------------------------------------------------------------

    @property
    def _may_act(self) -> bool:
        """Whether the upstream may have acted on the request."""
        return self._begun and may_act(self._request.method)

    @property
    def _is_stale(self) -> bool:
        """Whether the answer may be missing only because the connection was idle for too long.

        The upstream may have closed it, or sent a 408 (RFC 9110 section 15.5.9), before the request
        arrived. A request that changes something, or has a body, is never repeated.
        """
        if not self._reused:
            return False
        if not self._begun:
            return self._phase is _SENDING
        return (
            self._phase is _AWAITING
            and not self._request.length
            and self._request.method in _REPEATABLE
        )

    def _repeat(self) -> None:
        """Send the request again, on a new connection."""
        self._phase = MOVES[self._phase][_STALE]
        self._end_upstream(reusable=False)
        self._reused, self._write = False, _forget
        self._unsent = self._request.head
        self._connect()

    def _connect(self) -> None:
        self._front.pause()
        self._task = asyncio.get_running_loop().create_task(self._send_by_new())

    async def _send_by_new(self) -> None:
        try:
            connection = await self._passages.pool.connect()
        except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours is a 500
            self.fail(error)
            return
        self._acted_at = time.monotonic()
        self._front.resume()  # first, since the buffered bytes may make the upstream full at once
        self._send_by(connection)

    def _send_by(self, connection: Upstream) -> None:
        self._phase = MOVES[self._phase][_CONNECTED]
        self._upstream = connection
        self._write = connection.write
        connection.begin(self, bodiless=self._request.method == "HEAD")
        if self.left and self.left == self._request.length:
            return  # the head goes with the first bytes of the body
        unsent, self._unsent, self._begun = self._unsent, b"", True
        connection.write(unsent)
        if not self.left:
            self._phase = MOVES[self._phase][_SENT]

    def _end(self, status: int) -> None:
        """Finish, since all of the answer was read."""
        self._phase = MOVES[self._phase][_READ]
        del self._front
        self._write = _forget
        self._passages.under_way.discard(self)
        refuses_body = bool(self._request.length) and ends_after(status)
        self._end_upstream(reusable=not self.left and not refuses_body)

    def _let_go(self) -> None:
        self._phase = MOVES[self._phase][_FAILED]
        del self._front
        self._write, self._unsent = _forget, b""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()  # nothing may be sent for an aborted request
        self._passages.under_way.discard(self)
        self._end_upstream(reusable=False)

    def _end_upstream(self, *, reusable: bool) -> None:
        if self._upstream is not None:
            self._upstream.end(reusable=reusable)
            self._upstream = None


def _forget(_: bytes) -> None:
    """Drop the bytes of a body that is not read any more."""
