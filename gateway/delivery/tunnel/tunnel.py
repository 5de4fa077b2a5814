"""One WebSocket on its way: two connections, and the bytes between them, as they come.

What arrives on one side is written to the other, which slows the sender down if it is full: at
most one read and one write buffer are held in each direction, and nothing while nothing moves.
"""

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from gateway.delivery.tunnel.frames import Boundaries, close_frame
from gateway.limits.acknowledgement import limit_unacknowledged
from gateway.metrics.instruments import Value

_BUFFER: Final = 64 * 1024
"""Bytes that may wait to be written, in each direction."""

_LINGER_SECONDS: Final = 10.0
"""How long the sides of an ending tunnel have to read what was sent, and to close."""


class End(StrEnum):
    """Why a tunnel ended."""

    CLIENT = "client"
    CHATKITTY = "chatkitty"
    IDLE = "idle"
    LIFETIME = "lifetime"
    STUCK = "stuck"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a tunnel may wait, in seconds."""

    idle: float
    """Without a byte in either direction."""
    lifetime: float
    client: float
    """Until the client reads what was sent."""
    upstream: float


class Owner(Protocol):
    """Receives the end of a tunnel."""

    def tunnel_ended(self, tunnel: "Tunnel") -> None:
        """Both sides are closed."""


class Side(asyncio.Protocol):
    """One side of a tunnel: what arrives here goes to the other side."""

    __slots__ = (
        "counted", "ended", "frames", "gone", "is_client", "other", "passed", "said_all",
        "stuck_since", "transport", "tunnel",
    )  # fmt: skip

    other: "Side"

    def __init__(
        self, tunnel: "Tunnel", transport: asyncio.Transport, counted: Value, *, is_client: bool
    ) -> None:
        self.tunnel = tunnel
        self.transport = transport
        self.counted = counted
        """Counts the bytes that arrive here, of all tunnels."""
        self.is_client = is_client
        self.frames = Boundaries()
        """Of what arrives here."""
        self.said_all = False
        """Whether nothing more of what arrives here is passed on."""
        self.stuck_since: float | None = None
        """Since when what was written here has waited."""
        self.passed = 0
        """Bytes that went from here to the other side."""
        self.ended = False
        """Whether nothing more will come from here."""
        self.gone = False
        transport.set_write_buffer_limits(_BUFFER)
        transport.max_size = _BUFFER  # type: ignore[attr-defined] # asyncio's: of one read

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on."""
        self.tunnel.pass_on(self, data)

    def pause_writing(self) -> None:
        """Slow the other side down."""
        self.stuck_since = time.monotonic()
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Let the other side continue."""
        self.stuck_since = None
        self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        """Note that nothing more will come from here; returns whether more may still be written."""
        self.tunnel.half_closed(self)
        return self.transport.can_write_eof()

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002 - asyncio's
        """The connection is closed."""
        self.gone = True
        self.tunnel.lost(self)

    def write(self, data: bytes) -> None:
        """Write, if anything may still be written."""
        if not (self.gone or self.other.said_all or self.transport.is_closing()):
            self.transport.write(data)

    def finish(self) -> None:
        """Say that nothing more will be written, if the connection can: one with TLS cannot."""
        if not self.gone and self.transport.can_write_eof():
            self.transport.write_eof()


class Tunnel:
    """A WebSocket between a client and ChatKitty."""

    __slots__ = (
        "_ending_since", "_heard_at", "_owner", "_patience", "_since", "_stops", "client", "end",
        "request_id", "upstream",
    )  # fmt: skip

    client: Side
    upstream: Side

    def __init__(self, owner: Owner, patience: Patience, request_id: str) -> None:
        """Carry the WebSocket that the request began."""
        self._owner = owner
        self._patience = patience
        self.request_id = request_id
        self._since = self._heard_at = time.monotonic()
        self._ending_since: float | None = None
        self._stops = False
        """Whether each direction ends with the frame that is on its way."""
        self.end: End | None = None

    @property
    def seconds(self) -> float:
        """How long it has been open."""
        return time.monotonic() - self._since

    def join(self, client: Side, upstream: Side, early: bytes, tail: bytes) -> None:
        """Begin; `early` has come from the client already, `tail` from ChatKitty."""
        self.client, self.upstream = client, upstream
        client.other, upstream.other = upstream, client
        for side, patience in (
            (client, self._patience.client),
            (upstream, self._patience.upstream),
        ):
            side.transport.set_protocol(side)
            limit_unacknowledged(side.transport, patience)
        for side, arrived in ((upstream, tail), (client, early)):
            if arrived:
                self.pass_on(side, arrived)
            side.transport.resume_reading()

    def stop(self, end: End) -> None:
        """End it, and send both sides a closing frame, as soon as no other frame is on its way."""
        if self.end is not None:
            return
        self.end, self._stops = end, True
        self._ending_since = time.monotonic()
        for side in (self.client, self.upstream):
            self._say_close(side)

    def cut(self) -> None:
        """End it at once."""
        for side in (self.client, self.upstream):
            if not side.gone:
                side.transport.abort()

    # --- what the sides report -------------------------------------------------------------------

    def pass_on(self, side: Side, data: bytes) -> None:
        """Pass bytes to the other side; drop them once that direction has ended."""
        if side.said_all:
            return
        self._heard_at = time.monotonic()
        if self._stops:
            data = data[: side.frames.feed_to_boundary(data)]
        else:
            side.frames.feed(data)
        side.passed += len(data)
        side.counted.value += len(data)
        side.other.write(data)
        if self._stops:
            self._say_close(side)

    def half_closed(self, side: Side) -> None:
        """Note that nothing more will come from a side; the other may still send for a moment."""
        self._begin_end(side)
        side.ended = side.said_all = True
        side.other.finish()
        self._close_if_done(side)
        self._close_if_done(side.other)

    def lost(self, side: Side) -> None:
        """The connection of a side is closed: the other side gets what was sent to it."""
        self._begin_end(side)
        other = side.other
        if other.gone:
            self._owner.tunnel_ended(self)
            return
        side.said_all = other.said_all = True
        if side.is_client or not other.transport.can_write_eof():
            other.transport.close()
        else:
            # Closed with something unread, the connection would be reset, and its last bytes lost.
            other.transport.resume_reading()
            other.finish()
            self._close_if_done(other)

    # --- from time to time -----------------------------------------------------------------------

    def look(self, now: float) -> None:
        """End the tunnel if it has waited too long for a side; `now` is of `time.monotonic`."""
        if self._ending_since is not None:
            since = self._ending_since if self._stops else max(self._ending_since, self._heard_at)
            if now - since > _LINGER_SECONDS:
                self.cut()
        elif self._is_stuck(self.client, now, self._patience.client) or self._is_stuck(
            self.upstream, now, self._patience.upstream
        ):
            self.end = End.STUCK
            self.cut()
        elif now - self._heard_at > self._patience.idle:
            self.stop(End.IDLE)
        elif now - self._since > self._patience.lifetime:
            self.stop(End.LIFETIME)

    # --- within ----------------------------------------------------------------------------------

    def _begin_end(self, side: Side) -> None:
        if self._ending_since is None:
            self._ending_since = time.monotonic()
        if self.end is None:
            self.end = End.CLIENT if side.is_client else End.CHATKITTY

    @staticmethod
    def _close_if_done(side: Side) -> None:
        """Close a side that has sent everything, and has got everything."""
        if side.ended and side.other.said_all and not side.gone:
            side.transport.close()

    def _say_close(self, side: Side) -> None:
        """Send a closing frame in place of a side, once the frame on its way was passed on."""
        if side.said_all:
            return
        if side.frames.at_boundary:
            side.other.write(close_frame(masked=side.is_client))
        elif not side.frames.over:
            return  # in the middle of a frame
        side.said_all = True
        side.other.finish()
        self._close_if_done(side.other)

    @staticmethod
    def _is_stuck(side: Side, now: float, limit: float) -> bool:
        return side.stuck_since is not None and now - side.stuck_since > limit
