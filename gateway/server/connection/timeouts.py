"""Time limits of a client's connection: for its next head, for reading its answer, for its end.

One task checks all connections from time to time, so a single connection needs no timer.
"""

import asyncio
import socket
import time
from contextlib import suppress
from typing import Any, Final

import aiohttp
from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD

from gateway.errors import HeadTimeout
from gateway.internals.aiohttp import Unreadable
from gateway.limits.watch import Watch
from gateway.server.connection.linger import (
    LINGER_SECONDS,
    TOO_SLOW_SECONDS,
    TOO_SLOW_STATUS,
    drained,
    end_answers,
)
from gateway.settings import Settings
from gateway.telemetry import get_logger

log = get_logger(__name__)

_UNREAD: Final = 16 * 1024
_UNSENT_LIMIT: Final = getattr(socket, "TCP_NOTSENT_LOWAT", None)


def notice_unread(transport: asyncio.Transport) -> None:
    """Notice sooner that the client of a slow, endless answer does not read it.

    A kernel accepts megabytes for a client that reads nothing, so that no byte of such an answer
    would wait here.
    """
    transport.set_write_buffer_limits(high=0)
    connection = transport.get_extra_info("socket")
    if connection is not None and _UNSENT_LIMIT is not None:
        with suppress(OSError):  # it is no TCP connection, or was lost
            connection.setsockopt(socket.IPPROTO_TCP, _UNSENT_LIMIT, _UNREAD)


class PatientHandler(web.RequestHandler):
    """aiohttp's handler of a connection, with limits on how long it waits for the client."""

    __slots__ = (
        "_came", "_connections", "_head_began", "_passing", "_passing_since", "_resting_since",
        "_settings", "_socket", "_stuck_since",
    )  # fmt: skip

    def __init__(
        self,
        server: web.Server,
        settings: Settings,
        connections: Watch,
        **options: Any,  # noqa: ANN401 - aiohttp's
    ) -> None:
        super().__init__(server, **options)
        self._settings = settings
        self._connections = connections
        self._socket: Any = None
        """The transport, which aiohttp forgets as soon as it has asked it to close."""
        self._came = 0.0
        self._head_began: float | None = None
        """When the first bytes of an incomplete head arrived."""
        self._resting_since: float | None = None
        """When the last request was answered; None before the first."""
        self._stuck_since: float | None = None
        """Since when all that was sent has waited for the client to take it."""
        self._passing: aiohttp.StreamReader | None = None
        """The body with a rest that is drained."""
        self._passing_since = 0.0

    # --- what the transport reports --------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - any that asyncio has
        """A client has connected."""
        super().connection_made(transport)
        self._socket = transport
        self._came = time.monotonic()
        self._connections.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has disconnected."""
        self._connections.discard(self)
        super().connection_lost(exc)
        if self._passing is not None:
            self._passing.set_exception(ConnectionResetError("the client went away"))

    def resume_writing(self) -> None:
        """Note that the client has read most of the buffered bytes."""
        super().resume_writing()
        self._stuck_since = None

    # --- the end of a request --------------------------------------------------------------------

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer, and drain the rest of the body."""
        result = await super().finish_response(request, resp, start_time)
        too_slow = resp.status == TOO_SLOW_STATUS and not request.content.is_eof()
        if not request.content.is_eof() and self.transport is not None:
            seconds = TOO_SLOW_SECONDS if too_slow else LINGER_SECONDS
            await self._let_pass(request.content, seconds, half_close=not resp.keep_alive)
        if too_slow:
            self.force_close()
        self._head_began = None
        self._resting_since = time.monotonic()
        return result

    async def _let_pass(
        self, body: aiohttp.StreamReader, seconds: float, *, half_close: bool
    ) -> None:
        if half_close:
            end_answers(self.transport)
        self._passing, self._passing_since = body, time.monotonic()
        if not await drained(body, seconds):
            self.force_close()
        self._passing = None

    # --- from time to time -----------------------------------------------------------------------

    @property
    def awaits_head(self) -> bool:
        """Whether there is nothing to do but to wait for a head, or for the rest of one."""
        return self._waiter is not None and not self._waiter.done()

    def look(self, now: float) -> None:
        """Act if the client was waited for too long; `now` is of `time.monotonic`."""
        settings = self._settings
        if self._is_stuck(now, settings.answer_timeout):
            log.info("connection.cut", reason="the client did not read its answer")
            self._socket.abort()
        elif self._socket.is_closing() or not self.awaits_head:
            return
        elif self._head_began is not None:
            if now - self._head_began > settings.head_timeout:
                self._give_up_head()
        elif self._rests_too_long(now):
            self.force_close()

    def _rests_too_long(self, now: float) -> bool:
        """Whether the connection was silent for too long; the limit is lower for the first head."""
        settings = self._settings
        if self._resting_since is None:
            return now - self._came > settings.head_timeout
        return now - self._resting_since > settings.idle_timeout

    def _is_stuck(self, now: float, limit: float) -> bool:
        """Whether sent bytes have waited for too long, and it is the client's turn."""
        to_act = self.writing_paused or self._socket.is_closing() or self.awaits_head
        if not to_act or not self._socket.get_write_buffer_size():
            self._stuck_since = None
            return False
        if self._stuck_since is None:
            self._stuck_since = now
        return now - self._stuck_since > limit

    def _give_up_head(self) -> None:
        """Answer an incomplete head, as a request that was not finished in time."""
        fault = HeadTimeout("the head of the request did not arrive in time")
        self.answer_fault(TOO_SLOW_STATUS, fault)

    def answer_fault(self, status: int, fault: Exception) -> None:
        """Answer an error in a head."""
        self._messages.append((Unreadable(status, fault, str(fault)), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
