"""Connections to the upstream: each carries one relay at a time.

A connection is kept for the next relay only if its relay succeeded completely, and if nothing
came after the answer.
"""

import asyncio
import ssl
import time
from contextlib import suppress
from typing import cast

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpResponseParser
from yarl import URL

from gateway.delivery.forward import CONNECT_SECONDS, NOT_HTTP, UNREACHABLE, answer_fault
from gateway.delivery.relay.parties import Carried
from gateway.dial import dial
from gateway.errors import UpstreamTimeout, UpstreamUnavailable
from gateway.limits.watch import Watch
from gateway.upstream.connections import (
    body_of,
    heed_tls,
    is_between_answers,
    is_silent,
    read_rest,
)

_IDLE_SECONDS = 15.0
_ANSWER_BUFFER = 256 * 1024
_WRITE_BUFFER = 256 * 1024


class UpstreamConnection(BaseProtocol):
    """One connection: sends bytes as they are, and reads answers with aiohttp's own parser."""

    __slots__ = (
        "_answers", "_carried", "_idle_since", "_lasts", "_plain", "_pool", "_reads", "_stream",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: "UpstreamPool") -> None:
        super().__init__(loop)
        self._pool = pool
        self._carried: Carried | None = None
        self._stream: aiohttp.StreamReader | None = None
        self._idle_since: float | None = time.monotonic()
        self._lasts = False
        self._reads = 0
        self._plain = False
        """Whether exactly one complete answer was read, and nothing else."""
        self._answers = self._parser = HttpResponseParser(
            self, loop, _ANSWER_BUFFER, read_until_eof=True, auto_decompress=False
        )

    @property
    def usable(self) -> bool:
        """Whether it is still open, as far as is known, and all that was written is sent."""
        transport = self.transport
        return (
            transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        )

    @property
    def fresh(self) -> bool:
        """Whether an upload may be sent on it, after it was idle."""
        return self.usable and self.transport is not None and is_silent(self.transport)

    def begin(self, carried: Carried) -> None:
        """Carry a request."""
        self._carried = carried
        self._idle_since = None
        self._stream = None
        self._lasts = self._plain = False
        self._reads = 0

    def write(self, data: bytes) -> None:
        """Send the next bytes of the request, if the connection is still open."""
        if self.transport is not None:
            self.transport.write(data)

    def end(self, *, reusable: bool) -> None:
        """End the request.

        The connection is kept if its request was `reusable` and its answer was read to the end.
        """
        self._carried = None
        if reusable and self._lasts and self.usable and self._is_read():
            self._idle_since = time.monotonic()
            self._pool.put(self)
        else:
            self._close()

    def _is_read(self) -> bool:
        """Whether the answer was read to its end, and nothing else has come."""
        if self._plain:
            return True
        read = self._stream is not None and self._stream.at_eof()
        return read and is_between_answers(self._answers)

    def look(self, now: float) -> None:
        """Close the connection if it has been idle for a while."""
        if self._idle_since is not None and now - self._idle_since > _IDLE_SECONDS:
            self._close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound the write buffer, which is what one upload holds here."""
        super().connection_made(transport)
        cast(asyncio.Transport, transport).set_write_buffer_limits(_WRITE_BUFFER)
        heed_tls(transport, self.data_received)
        self._pool.made(self)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes of an answer; close the connection if no answer is expected."""
        if self._carried is None:
            self._close()
        elif data or not self._plain:  # aiohttp passes b"" to get what the parser has held back
            self._receive(self._carried, data)

    def _receive(self, carried: Carried, data: bytes) -> None:
        self._reads += 1
        self._plain = False
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
            if head.code >= 200:  # no interim answer, RFC 9110 section 15.2
                answers.append((head, stream))
        if not answers:
            return
        head, stream = answers[0]
        # The first answer is the request's; by its end it must be known whether a second one came.
        self._lasts = not (
            head.should_close or upgraded or self._stream is not None or len(answers) > 1
        )
        if self._stream is None:
            self._stream = stream
            whole = body_of(data, head) if self._reads == len(messages) == 1 else None
            self._plain = whole is not None
            carried.upstream_answers(head, stream, whole)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Notify the request's owner. An answer may end like this (RFC 9112 section 6.3)."""
        if exc is not None and self.transport is not None:
            read_rest(self.transport, self.data_received)
        super().connection_lost(exc)
        self._pool.forget(self)
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

    def _break(self, why: str) -> None:
        carried, stream = self._carried, self._stream
        if carried is not None and stream is None:
            self._carried = None
            carried.upstream_lost(why)
        elif stream is not None and not stream.is_eof():
            with suppress(HttpProcessingError):
                self._answers.feed_eof()
            if not stream.is_eof():
                stream.set_exception(aiohttp.ClientPayloadError(why))
        self._close()

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class UpstreamPool:
    """The idle connections to one upstream, the last one used first."""

    def __init__(self, base_url: str) -> None:
        self._url = URL(base_url)
        self.host = self._url.host_port_subcomponent or ""
        """What the `Host` header names."""
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
        """Add a new connection to the pool's."""
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
