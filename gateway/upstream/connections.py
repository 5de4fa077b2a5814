"""Whether an idle connection can be used again, and the answer in the last bytes of a broken one.

If the other end has closed a connection, a request on it is lost, and it is unknown whether it was
read. The loop reports the close only in its next turn; the socket shows it at once. An answer that
arrived before a connection broke is still an answer (RFC 9112 section 9.6).
"""

import asyncio
import os
import select
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp import hdrs
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, RawResponseMessage

from gateway.heads import FINAL
from gateway.internals.aiohttp import make_connections_by

if TYPE_CHECKING:
    from aiohttp.http_parser import HttpParser

_READ: Final = 256 * 1024
_REFUSED: Final = 400
_PROBE: Final = b"HTTP/1.1 204 \r\n\r\n"
_BLANK_LINE: Final = b"\r\n\r\n"
_NO_BODY: Final = frozenset({204, 304})
"""Statuses without a body, whatever their head says about a length (RFC 9112 section 6.3)."""

_TLS: Final = "_ssl_protocol"


def is_silent(transport: asyncio.BaseTransport) -> bool:
    """Whether nothing has arrived on an idle connection: neither its end nor unexpected bytes."""
    incoming = select.poll()
    incoming.register(transport.get_extra_info("socket"), select.POLLIN)
    return not incoming.poll(0)


def connector(limit: int) -> aiohttp.TCPConnector:
    """A pool of at most `limit` connections (0: any number) that reuses none that has ended."""
    pool = aiohttp.TCPConnector(limit=limit)
    make_connections_by(pool, partial(_Handler, loop=asyncio.get_running_loop()))
    return pool


def is_between_answers(parser: "HttpParser[RawResponseMessage]") -> bool:
    """Whether nothing of another answer, and no trailer of the last, is left in the parser.

    Either would become the beginning of the next answer. The parser cannot be asked for that, but
    it reads an answer without headers as just that only if nothing was left in it.
    """
    try:
        messages, _, _ = parser.feed_data(_PROBE)
    except HttpProcessingError:
        return False
    if len(messages) != 1:
        return False
    head, _ = messages[0]
    return head.code == 204 and not head.raw_headers


def plain_answer(
    parser: "HttpParser[RawResponseMessage]", data: bytes
) -> tuple[RawResponseMessage, bytes] | None:
    """Head and body, if the bytes are plainly one answer from its first byte to its last.

    `parser` expects answers without bodies, and reads only the head, so that no stream is made for
    the body. None if the bytes are not that simple; then the parser cannot be used again.
    """
    end = data.find(_BLANK_LINE) + len(_BLANK_LINE)
    opening = data[:end]
    # For the parser, a line feed alone ends a line: the head could have ended before.
    if end < len(_BLANK_LINE) or opening.count(b"\n") != opening.count(b"\r\n"):
        return None
    try:
        messages, _, _ = parser.feed_data(opening)
    except HttpProcessingError:
        return None
    if len(messages) != 1:
        return None
    head, _ = messages[0]
    headers = head.headers
    if hdrs.TRANSFER_ENCODING in headers or head.code < FINAL or head.code in _NO_BODY:
        return None
    # As text, since Python refuses to read thousands of leading zeros.
    if headers.get(hdrs.CONTENT_LENGTH) != str(len(data) - end):
        return None
    return head, data[end:]


def read_rest(transport: asyncio.BaseTransport, receive: Callable[[bytes], None]) -> None:
    """Give `receive` the bytes that arrived on a connection before it broke.

    For asyncio, the first error is the end, even an error of a write. It does not read what the
    kernel still holds: the answer of an upstream that refuses an upload and closes without reading
    it.
    """
    if getattr(transport, _TLS, ...) is None:
        return  # a connection with TLS that was closed on our side
    connection = transport.get_extra_info("socket")
    tls: asyncio.BufferedProtocol | None = getattr(transport, _TLS, None)
    while connection is not None and (data := _read(connection.fileno())):
        if tls is None:
            receive(data)
        else:
            _decrypt(tls, data)


def heed_tls(transport: asyncio.BaseTransport, receive: Callable[[bytes], None]) -> None:
    """Have `read_rest` called before a connection with TLS ends.

    Its protocol learns of the end only when the socket is closed. The protocol of a connection
    without TLS learns of it before, and calls it itself.
    """
    tls = getattr(transport, _TLS, None)
    if tls is None:
        return
    ended = tls.connection_lost

    def connection_lost(exc: Exception | None) -> None:
        if exc is not None:
            read_rest(transport, receive)
        ended(exc)

    tls.connection_lost = connection_lost


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _READ)
    except OSError:  # nothing more is there, or the socket is closed
        return b""


def _decrypt(tls: asyncio.BufferedProtocol, data: bytes) -> None:
    left = memoryview(data)
    while left:
        buffer = memoryview(tls.get_buffer(len(left)))
        size = min(len(left), len(buffer))
        buffer[:size] = left[:size]
        tls.buffer_updated(size)
        left = left[size:]


def ends_after(status: int) -> bool:
    """Whether a connection is not used again after a request with a body got such an answer.

    A server that refuses a body may close the connection without reading it, and without announcing
    that. Then the next request would meet the reset, and it would be unknown whether it was read.
    """
    return status >= _REFUSED


class _Handler(ResponseHandler):
    """One connection of aiohttp's."""

    sends_body = False
    """Whether the request that is being answered has a body."""

    def is_connected(self) -> bool:
        """Whether it may be used; aiohttp asks before it uses one again."""
        return (
            super().is_connected()
            and not self.should_close
            and self.transport is not None
            and is_silent(self.transport)
            and (self._parser is None or is_between_answers(self._parser))
        )

    def feed_data(
        self, data: tuple[RawResponseMessage, aiohttp.StreamReader], size: int = 0
    ) -> None:
        """Handle the head of an answer."""
        if self.sends_body and ends_after(data[0].code):
            self._should_close = True
        super().feed_data(data, size)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have the last bytes read before the end."""
        super().connection_made(transport)
        heed_tls(transport, self.data_received)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Handle an answer that has arrived before the error."""
        if exc is not None:
            self._read_rest()
        super().connection_lost(exc)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Handle an answer before the error of a write, which is reported before the end."""
        if self.transport is not None and self.transport.is_closing():
            self._read_rest()
        super().set_exception(exc, *cause)

    def close(self) -> None:
        """Handle an answer before aiohttp closes because the end of a body was not written."""
        if self.transport is not None and self.transport.is_closing():
            self._read_rest()
        super().close()

    def _read_rest(self) -> None:
        if self.transport is not None:
            read_rest(self.transport, self.data_received)
