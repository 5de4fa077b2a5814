"""Connections to the upstream: each carries one relay, or one passed request, at a time.

A connection is kept for the next one only if its request succeeded completely, and if nothing came
after the answer.
"""

import asyncio
import ssl
import time
from contextlib import suppress
from typing import cast

import aiohttp
from aiohttp import hdrs
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpResponseParser, RawResponseMessage
from yarl import URL

from gateway.delivery.forward import (
    CONNECT_SECONDS,
    NOT_HTTP,
    UNREACHABLE,
    answer_fault,
    plain_fault,
)
from gateway.delivery.relay.parties import Carried, Streamed
from gateway.dial import dial
from gateway.errors import UpstreamTimeout, UpstreamUnavailable
from gateway.limits.watch import Watch
from gateway.upstream.connections import (
    heed_tls,
    is_between_answers,
    is_silent,
    plain_answer,
    read_rest,
)

_IDLE_SECONDS = 15.0
_ANSWER_BUFFER = 256 * 1024
_WRITE_BUFFER = 256 * 1024


class UpstreamConnection(BaseProtocol):
    """One connection: sends bytes as they are, and reads answers with aiohttp's own parser."""

    __slots__ = (
        "_answers", "_asked", "_bodiless", "_carried", "_heads", "_held", "_idle_since", "_lasts",
        "_left", "_length", "_plain", "_pool", "_pushes", "_reads", "_stream", "_streamed",
    )  # fmt: skip

    _answers: HttpResponseParser

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: "UpstreamPool") -> None:
        super().__init__(loop)
        self._pool = pool
        self._carried: Carried | None = None
        self._stream: aiohttp.StreamReader | None = None
        self._streamed: Streamed | None = None
        self._pushes = False
        """Whether the owner is receiving bytes at this moment."""
        self._held = False
        """Whether the owner has paused the answer."""
        self._length: int | None = None
        """The length of the answer's body, if its head has one and the body is not chunked."""
        self._left = 0
        """Bytes of a streamed body that are still to come, if they need not be parsed."""
        self._idle_since: float | None = time.monotonic()
        self._lasts = False
        self._asked = True
        """Whether an answer may come."""
        self._reads = 0
        self._plain = False
        """Whether one complete answer was read, and nothing else."""
        self._begin_parsing(bodiless=False)
        self._heads = self._parser_of(bodiless=True)
        """Reads the heads of answers that come in one piece."""

    @property
    def usable(self) -> bool:
        """Whether it seems to be open, and everything written was sent."""
        transport = self.transport
        return (
            transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        )

    @property
    def fresh(self) -> bool:
        """Whether a request may be sent on it, after it was idle."""
        return self.usable and self.transport is not None and is_silent(self.transport)

    @property
    def heard(self) -> bool:
        """Whether any byte has arrived since its request began."""
        return self._reads > 0

    def begin(self, carried: Carried, *, bodiless: bool = False) -> None:
        """Carry a request; `bodiless`: its answer has no body, whatever its head says."""
        self._carried = carried
        self._idle_since = None
        self._stream = None
        self._lasts = self._plain = False
        self._asked = self._reads == 0  # a new connection may be refused before any request
        self._reads = 0
        if bodiless or self._bodiless:
            self._begin_parsing(bodiless=bodiless)

    def write(self, data: bytes) -> None:
        """Send the next bytes of the request, if the connection is still open."""
        self._asked = True
        if self.transport is not None:
            self.transport.write(data)

    def stream(self, to: Streamed) -> None:
        """Give the body of the answer to `to`: what has arrived now, the rest as it arrives."""
        if self._stream is None:
            return
        self._streamed = to
        self._push()
        if self._streamed is to and self._length is not None:
            self._left = self._length - self._stream.total_bytes

    def pause(self) -> None:
        """Stop reading the answer for now."""
        self._held = True
        self._pause_transport_reading()

    def resume(self) -> None:
        """Resume reading it."""
        self._held = False
        self._resume_transport_reading()

    def _resume_transport_reading(self) -> None:
        """Resume unless the owner has paused: aiohttp's reader knows only its own buffer."""
        if not self._held:
            super()._resume_transport_reading()

    def end(self, *, reusable: bool) -> None:
        """End the request.

        The connection is kept if its request was `reusable` and its answer was read to the end.
        """
        self._carried = self._streamed = None
        self._left = 0
        if self._held:
            self.resume()
        if reusable and self._lasts and self.usable and (self._plain or self._is_read()):
            self._idle_since = time.monotonic()
            self._pool.put(self)
        else:
            self._close()

    def _begin_parsing(self, *, bodiless: bool) -> None:
        self._bodiless = bodiless
        self._answers = self._parser = self._parser_of(bodiless=bodiless)

    def _parser_of(self, *, bodiless: bool) -> HttpResponseParser:
        return HttpResponseParser(
            self,
            self._loop,
            _ANSWER_BUFFER,
            response_with_body=not bodiless,
            read_until_eof=True,
            auto_decompress=False,
        )

    def _is_read(self) -> bool:
        """Whether an answer that is not plain was read to its end, and nothing else has come."""
        read = self._stream is not None and self._stream.at_eof()
        return read and is_between_answers(self._answers)

    def look(self, now: float) -> None:
        """Close the connection if it has been idle for a while."""
        if self._idle_since is not None and now - self._idle_since > _IDLE_SECONDS:
            self._close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Limit the write buffer: this is all that an upload holds here."""
        super().connection_made(transport)
        cast(asyncio.Transport, transport).set_write_buffer_limits(_WRITE_BUFFER)
        heed_tls(transport, self.data_received)
        self._pool.made(self)

    def data_received(self, data: bytes) -> None:
        """Read the bytes of an answer; close the connection if no answer is expected."""
        if self._left and self._streamed is not None:
            self._pass_on(data, self._streamed)
        elif self._carried is None:
            self._close()
        elif not self._asked:  # the upstream is closing an idle connection
            self._break(UNREACHABLE)
        elif self._plain:
            self._lasts = self._lasts and not data  # which comes after the answer
        else:
            self._reads += 1
            if self._reads > 1 or not self._takes_plain(self._carried, data):
                self._receive(self._carried, data)  # b"" makes the parser give what it holds back

    def _takes_plain(self, carried: Carried, data: bytes) -> bool:
        """Notify the request's owner of a plain answer, if it is one."""
        if self._bodiless:
            return False
        if (answer := plain_answer(self._heads, data)) is None:
            self._heads = self._parser_of(bodiless=True)
            return False
        head, body = answer
        if (fault := plain_fault(head.code, head.headers)) is not None:
            self._break(fault)
            return True
        self._plain = True
        self._lasts = not head.should_close
        carried.upstream_answers(head, body)
        return True

    def _receive(self, carried: Carried, data: bytes) -> None:
        try:
            messages, upgraded, _ = self._answers.feed_data(data)
        except HttpProcessingError:
            self._break(NOT_HTTP)
            return
        answers = []
        for head, stream in messages:
            if (fault := answer_fault(head.code, head.headers)) is not None:
                self._break(fault)
                return
            if head.code >= 200:  # not an interim answer, RFC 9110 section 15.2
                answers.append((head, stream))
        if answers:
            # The first is the request's; a second one must be noticed before the first one ends.
            self._lasts = not (
                answers[0][0].should_close
                or upgraded
                or self._stream is not None
                or len(answers) > 1
            )
            if self._stream is None:
                head, self._stream = answers[0]
                self._length = _length_of(head)
                carried.upstream_answers(head, self._stream)
                return
        self._push()

    def _push(self) -> None:
        """Give the owner what the parser has read of a streamed body."""
        if self._pushes:  # aiohttp's reader may call this again while it is read from
            return
        self._pushes = True
        try:
            self._give_read()
        finally:
            self._pushes = False

    def _give_read(self) -> None:
        stream, to = self._stream, self._streamed
        if stream is None or to is None:
            return
        while self._streamed is to and (data := stream.read_nowait()):
            to.upstream_sends(data)
        if self._streamed is to and stream.is_eof():
            self._streamed = None
            to.upstream_ends()

    def _pass_on(self, data: bytes, to: Streamed) -> None:
        """Give the owner the next bytes of a body that needs no parser."""
        if len(data) > self._left:
            data, self._lasts = data[: self._left], False
        self._left -= len(data)
        to.upstream_sends(data)
        if not self._left and self._streamed is to:
            self._plain, self._streamed = True, None
            self._begin_parsing(bodiless=False)  # the old parser still waits for the body
            to.upstream_ends()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Notify the request's owner. Some answers end with the connection (RFC 9112 section 6.3).

        After an error the answer may lack bytes, unless the error was a failed write.
        """
        if exc is not None and self.transport is not None:
            read_rest(self.transport, self.data_received)
        super().connection_lost(exc)
        self._pool.forget(self)
        if exc is None or isinstance(exc, BrokenPipeError):
            self._end_body()
        self._break(UNREACHABLE)

    def pause_writing(self) -> None:
        """Pass the upstream's back-pressure on."""
        super().pause_writing()
        if self._carried is not None:
            self._carried.upstream_full()

    def resume_writing(self) -> None:
        """Pass the end of the back-pressure on."""
        super().resume_writing()
        if self._carried is not None:
            self._carried.upstream_drained()

    def _end_body(self) -> None:
        """Finish a body that ends with its connection."""
        if self._stream is not None and not self._stream.is_eof():
            with suppress(HttpProcessingError):  # any other body is incomplete
                self._answers.feed_eof()
            self._push()

    def _break(self, why: str) -> None:
        carried, stream = self._carried, self._stream
        if carried is not None and stream is None and not self._plain:
            self._carried = None
            carried.upstream_lost(why)
        elif self._streamed is not None:
            self._streamed.upstream_breaks()
            self._streamed = None
        elif stream is not None and not stream.is_eof():
            stream.set_exception(aiohttp.ClientPayloadError(why))
        self._close()

    def _close(self) -> None:
        """Close the connection, and drop bytes that were not sent yet: no answer is expected."""
        if self.transport is None:
            return
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()


def _length_of(head: RawResponseMessage) -> int | None:
    """The length of the body after the head, if only its length says where it ends."""
    length = head.headers.get(hdrs.CONTENT_LENGTH)
    if length is None or head.chunked or hdrs.TRANSFER_ENCODING in head.headers:
        return None
    return int(length)


class UpstreamPool:
    """The idle connections to one upstream; the one used last is used first."""

    def __init__(self, base_url: str) -> None:
        self._url = URL(base_url)
        self.host = self._url.host_port_subcomponent or ""
        """The value of the `Host` header."""
        self._idle: list[UpstreamConnection] = []
        self._open: set[UpstreamConnection] = set()
        self._watch = Watch(_IDLE_SECONDS)
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None

    def take(self) -> UpstreamConnection | None:
        """An idle connection, or None if there is none."""
        while self._idle:
            connection = self._idle.pop()
            if connection.fresh:
                return connection
            connection.end(reusable=False)
        return None

    async def connect(self) -> UpstreamConnection:
        """A new connection, to the first of the upstream's addresses that accepts one.

        Raises UpstreamUnavailable, UpstreamTimeout.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                host = self._url.host or ""
                connected = await dial(host, self._url.port or 0)
                _, connection = await loop.create_connection(
                    lambda: UpstreamConnection(loop, self),
                    sock=connected,
                    ssl=self._tls,
                    server_hostname=host if self._tls else None,
                )
        except TimeoutError as error:
            raise UpstreamTimeout("ChatKitty did not answer in time") from error
        except OSError as error:
            raise UpstreamUnavailable(UNREACHABLE) from error
        if connection.transport is None:  # it was lost in the meantime
            raise UpstreamUnavailable(UNREACHABLE)
        return connection

    def made(self, connection: UpstreamConnection) -> None:
        """Add a new connection to the pool."""
        self._open.add(connection)
        self._watch.add(connection)

    def put(self, connection: UpstreamConnection) -> None:
        """Keep a connection for the next request."""
        self._idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """Forget a connection that was closed."""
        self._open.discard(connection)
        self._watch.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close the connections, idle or not."""
        for connection in self._open:
            if connection.transport is not None:
                connection.transport.close()
