"""A client's connection that gives aiohttp one request at a time, each with its complete head.

The head of a request is kept here until it is complete, and its size is checked before any parser
sees it: a client without a verified token uses no more memory than that. Bytes after a request wait
until it was answered, and reading from the client pauses.
"""

import asyncio
import time
from typing import Any, Final

import aiohttp
from aiohttp import web
from aiohttp.http import HttpProcessingError

from gateway.errors import GatewayError, HeadTooLarge, MalformedRequest
from gateway.internals.aiohttp import PARSER_BUFFER, Unreadable, body_parser, request_parser
from gateway.limits.connections import ConnectionLimit
from gateway.limits.watch import Watch
from gateway.server.connection.chunks import Chunks
from gateway.server.connection.diagnosis import fault_of_head
from gateway.server.connection.linger import LINGER_BYTES, LINGER_SECONDS
from gateway.server.connection.refusal import refusal
from gateway.server.connection.strict import Handler
from gateway.settings import Settings
from gateway.upstream.connections import is_silent

BLANK_LINE: Final = b"\r\n\r\n"
_LARGEST_READ: Final = 256 * 1024
"""Bytes of one read from a client that sends much; asyncio's own size."""

_CR: Final = 13
HEAD_READ: Final = 32 * 1024
"""Bytes that one read returns at most, for a client without a verified token."""

_UNCHECKED: Final = 512
"""Bytes of an unfinished head that may arrive before it is parsed again."""

_UNREADABLE_STATUS: Final = 400
_TOO_LARGE_STATUS: Final = 431


def _explained(head: bytes) -> Unreadable:
    """The error for a head that the parser refused, without the parser's quotation from it."""
    fault = MalformedRequest(fault_of_head(head))
    return Unreadable(_UNREADABLE_STATUS, fault, str(fault))


class TurnHandler(Handler):
    """One client's connection."""

    __slots__ = (
        "_answered", "_checked", "_chunks", "_closing", "_had_chunks", "_later", "_left",
        "_lent", "_let_in", "_limit", "_passing_head", "_returning", "_unfinished",
    )  # fmt: skip

    def __init__(
        self,
        server: web.Server,
        settings: Settings,
        connections: Watch,
        limit: ConnectionLimit,
        **options: Any,  # noqa: ANN401 - aiohttp's
    ) -> None:
        super().__init__(server, settings, connections, **options)
        self._limit = limit
        self._unfinished = bytearray()
        """A head that is not complete yet."""
        self._checked = 0
        """How many bytes of it the parser has accepted so far."""
        self._later = b""
        """Bytes that arrived after the request that is being answered."""
        self._lent = False
        """Whether aiohttp has a request."""
        self._left = 0
        """Bytes still to come of that request, if its head has the length."""
        self._chunks: Chunks | None = None
        """Where the request's body ends, if only its chunks show that."""
        self._had_chunks = False
        """Whether the parser has read a chunked body, which may have ended with trailers."""
        self._let_in = False
        """Whether the sender of the request is known."""
        self._answered = False
        self._returning = False
        self._closing = False
        self._passing_head: int | None = None
        """How much of a head that was too large may still come, to be forgotten."""

    # --- what the transport reports --------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - any that asyncio has
        """Accept a client; refuse one above the limit without creating anything for it."""
        if not self._limit.enter(self, transport.get_extra_info("peername")):
            transport.write(refusal(self._settings, transport))
            transport.close()
            return
        transport.max_size = HEAD_READ
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has disconnected."""
        self._limit.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand the bytes to the party that handles their request."""
        if self._passing_head is not None:
            self._forget(data, self._passing_head)
        elif self._lent:
            self._lend(data)
        elif self._returning:
            self._keep(data)
        elif data:
            self._collect(data)

    def _resume_transport_reading(self) -> None:
        """Aiohttp wants more of a body; the bytes kept for later must not grow by that."""
        if not self._later:
            super()._resume_transport_reading()

    # --- what aiohttp's handler does with a lent request -----------------------------------------

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """The answer to a lent request has been sent."""
        result = await super().finish_response(request, resp, start_time)
        self._answered = True
        self._closing = self._closing or not result[0].keep_alive
        self._take_back_if_over()
        if self._closing and self.has_more:
            await self._forget_requests()
        return result

    async def _forget_requests(self) -> None:
        """Drain what arrived after the last request: unread, it would reset the connection.

        RFC 9112 section 9.6.
        """
        self._later = b""
        self._passing_head = LINGER_BYTES
        rest = aiohttp.StreamReader(self, PARSER_BUFFER, loop=self._loop)  # which never ends
        self._resume_transport_reading()
        await self._let_pass(rest, LINGER_SECONDS, half_close=True)

    @property
    def has_more(self) -> bool:
        """Whether bytes have arrived that belong to no request so far."""
        if self._later or self.transport is None or self.transport.is_closing():
            return bool(self._later)
        return not is_silent(self.transport)

    def close(self) -> None:
        """Take no further request; one that is being answered is finished."""
        self._closing = True
        super().close()

    @property
    def idle(self) -> bool:
        """Whether no request is being read or answered."""
        return not self._later and super().idle

    @property
    def awaits_head(self) -> bool:
        """Whether there is nothing to do but to wait for a head, or for the rest of one."""
        return not self._returning and super().awaits_head

    def hand_over(self) -> tuple[asyncio.Transport, bytes] | None:
        """Leave the connection to another protocol.

        Returns the transport, and the bytes behind the request that is being answered; None if the
        client has disconnected.
        """
        transport, self.transport = self.transport, None
        later, self._later = self._later, b""
        self.connection_lost(None)  # for all who know this connection, it has ended
        return (transport, later) if transport is not None else None

    # --- what the limit on connections asks ------------------------------------------------------

    @property
    def has_request(self) -> bool:
        """Whether a request is being answered, or was a moment ago."""
        return self._lent or self._returning

    @property
    def waits_since(self) -> float | None:
        """Since when the gateway waits for the client's next request; None during a request.

        If the request was answered, the rest may still arrive, and no reader waits for it.
        """
        if self._passing is not None:
            return self._passing_since
        if self.has_request:
            return None
        return self._head_began or self._resting_since or self._came

    def give_way(self) -> None:
        """Close, to make room for a new connection."""
        self.force_close()

    # --- the head --------------------------------------------------------------------------------

    def _collect(self, data: bytes) -> None:
        """Wait for a complete head, and then begin with the request."""
        known = len(self._unfinished)
        if known:
            self._unfinished += data
            end = self._unfinished.find(BLANK_LINE, max(0, known - len(BLANK_LINE) + 1))
        else:
            if data[0] <= _CR:  # RFC 9112 section 2.2: empty lines before a request
                data = data.lstrip(b"\r\n")
            end = data.find(BLANK_LINE)
        size = end + len(BLANK_LINE) if end >= 0 else known + len(data)
        if size > self._settings.max_head_size:
            self._refuse_head(data)
        elif end >= 0:
            self._begin(self._take_unfinished() if known else data, size)
        else:
            if self._head_began is None:
                self._head_began = time.monotonic()
            if not known:
                self._unfinished += data
            self._look_at_unfinished()

    def _take_unfinished(self) -> bytes:
        self._checked = 0
        data = bytes(self._unfinished)
        self._unfinished.clear()
        return data

    def _look_at_unfinished(self) -> None:
        """Hand over a head that is already invalid; it is checked now and then."""
        size = len(self._unfinished)
        if size < min(2 * self._checked, self._checked + _UNCHECKED):
            return
        self._checked = size
        try:
            request_parser(self).feed_data(bytes(self._unfinished))
        except HttpProcessingError:
            self._begin_lending(self._take_unfinished(), size)

    def _refuse_head(self, data: bytes) -> None:
        self._note_unread(bytes(self._unfinished) or data)
        limit = self._settings.max_head_size
        fault = HeadTooLarge(f"the head of the request is larger than {limit} bytes")
        self.answer_fault(_TOO_LARGE_STATUS, fault)

    def _forget(self, data: bytes, most: int) -> None:
        self._passing_head = most - len(data)
        if self._passing_head < 0:
            self.force_close()

    def answer_fault(self, status: int, fault: Exception) -> None:
        """Answer an error in a head."""
        if self._unfinished:
            self._note_unread(bytes(self._unfinished))
        self._unfinished.clear()
        self._lent = True
        super().answer_fault(status, fault)
        self._forget_rest()

    def _note_unread(self, head: bytes) -> None:
        """Keep a head that is refused, if its answer depends on what can be read in it."""
        if self._settings.cors_origins:
            self._unread = head

    def _forget_rest(self) -> None:
        """Accept no further request; later bytes are dropped while the client reads the answer."""
        self._closing = True
        self._passing_head = LINGER_BYTES
        rest = aiohttp.StreamReader(self, PARSER_BUFFER, loop=self._loop)  # which never ends
        message, _ = self._messages[-1]
        if isinstance(message, Unreadable):
            self._forget_read(message.exc)
        self._messages[-1] = (message, rest)

    def _break_body(self, fault: BaseException) -> None:
        super()._break_body(fault)
        self._closing = True
        self._left, self._chunks = 0, None
        self._forget_read(fault)

    def _forget_read(self, fault: BaseException) -> None:
        """Free the bytes that were read: the parser and the traceback of its error hold many."""
        self._parser = body_parser(self)
        fault.__traceback__ = None

    # --- the request -----------------------------------------------------------------------------

    def _begin(self, data: bytes, size: int) -> None:
        """Answer the request; the first `size` bytes are its head."""
        self._begin_lending(data, size)

    def _begin_lending(self, data: bytes, size: int) -> None:
        self._lent = True
        self._let_in = False
        self._answered = False
        self._left, self._chunks = 0, None
        if self._had_chunks:  # the compiled parser has its trailers for headers of this request
            self._parser, self._had_chunks = body_parser(self), False
        super().data_received(data[:size])
        if not self._messages:  # HTTP/2 begins with what looks like a head, and is none
            self._note_unread(data[:size])
            self.answer_fault(_UNREADABLE_STATUS, MalformedRequest(fault_of_head(data[:size])))
            return
        message, body = self._messages[-1]
        if isinstance(message, Unreadable):
            self._note_unread(data[:size])
            if not isinstance(message.exc, GatewayError):
                self._messages[-1] = (_explained(data[:size]), body)
            self._forget_rest()
            return
        if message.chunked:
            self._chunks, self._had_chunks = Chunks(self._settings.max_head_size), True
        else:
            self._left = int(message.headers.get("Content-Length", 0))  # the parser has checked it
        if rest := data[size:]:
            self._lend(rest)

    def _lend(self, data: bytes) -> None:
        """Give aiohttp the bytes that belong to the body of its request."""
        if self._closing and self._is_whole:
            return
        try:
            end = self._end_in(data)
        except HeadTooLarge as fault:
            self._break_body(fault)
            return
        if end or not data:  # by empty data, aiohttp asks for the bytes that it has set aside
            super().data_received(data[:end])
            if self._had_chunks:
                self._hear_of_body()
        if end < len(data):
            self._keep(data[end:])
        elif self._let_in and len(data) == self.read_size() < _LARGEST_READ:
            self.set_read_size(2 * len(data))
        self._take_back_if_over()

    def _hear_of_body(self) -> None:
        """Break a body that could not be read.

        The parser in Python reports most faults of chunks only to the body's reader, and takes what
        follows for another request.
        """
        fault = self._newest_body.exception()
        if isinstance(fault, web.RequestPayloadError):
            self._break_body(fault)

    def _end_in(self, data: bytes) -> int:
        """How many of the bytes belong to the body of the request."""
        if self._chunks is not None:
            if (end := self._chunks.end_in(data)) is None:
                return len(data)
            self._chunks = None
            return end
        end = min(self._left, len(data))
        self._left -= end
        return end

    @property
    def _is_whole(self) -> bool:
        return self._chunks is None and not self._left

    def _take_back_if_over(self) -> None:
        """Take the connection back when the lent request was answered and is complete."""
        if self._lent and self._answered and self._is_whole and not self._closing:
            self._lent = False
            self._returning = True
            self.set_read_size(HEAD_READ)
            # The caller has not finished with the answer yet.
            self._loop.call_soon(self._go_on)

    # --- reading ---------------------------------------------------------------------------------

    def let_in(self) -> None:
        """Allow the current request larger reads, as far as it fills them."""
        self._let_in = True

    def read_size(self) -> int:
        """The most bytes that one read returns."""
        return int(getattr(self.transport, "max_size", 0))

    def set_read_size(self, size: int) -> None:
        """Read at most `size` bytes at once."""
        if self.transport is not None:
            self.transport.max_size = size  # type: ignore[attr-defined] # asyncio's own attribute

    def pause(self) -> None:
        """Read no more from the client for now."""
        if self.transport is not None:
            self.transport.pause_reading()

    def _keep(self, data: bytes) -> None:
        """Keep what belongs to the next request until its turn."""
        self._later += data
        self.pause()

    def _go_on(self) -> None:
        if self._lent or self.transport is None or self.transport.is_closing():
            return
        self._returning = False
        data, self._later = self._later, b""
        self.transport.resume_reading()
        if data:
            self.data_received(data)
