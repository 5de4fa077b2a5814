"""Heads of HTTP messages that aiohttp sends, byte for byte as they were received (RFC 9112).

aiohttp decodes a head as UTF-8, with surrogates for all other bytes. Its compiled writer silently
drops surrogates, and its Python writer raises: the gateway would send something else than it
decided on. Here they become the original bytes again, in both directions.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp import hdrs
from aiohttp.http import StreamWriter
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.internals.aiohttp import stop_read_timer
from gateway.text import as_received

if TYPE_CHECKING:
    from aiohttp.connector import Connection

FINAL: Final = 200
"""The lowest status of an answer that is not interim (RFC 9110 section 15.2)."""

_ENDS_A_LINE: Final = re.compile(r"[\r\n\0]")
_LARGEST_LENGTH: Final = 2**63 - 1
_MOST_DIGITS: Final = len(str(_LARGEST_LENGTH))


def has_fit_length(headers: CIMultiDictProxy[str]) -> bool:
    """Whether a Content-Length, if there is one, is a number of bytes that all servers can hold.

    aiohttp's compiled parser takes 2**64 - 1 for a missing length. It accepts any number of leading
    zeros, of which Python refuses to read thousands.
    """
    told = headers.get(hdrs.CONTENT_LENGTH, "")
    size = len(told)
    return size < _MOST_DIGITS or (size == _MOST_DIGITS and int(told) <= _LARGEST_LENGTH)


def head(opening: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """A head, from its first line to the empty one.

    Raises ValueError for a line break or a NUL: it would be read as another head (RFC 9110
    section 5.5).
    """
    lines = [opening, *map(": ".join, headers)]
    if _ENDS_A_LINE.search("".join(lines)):
        raise ValueError("a line of the head has a line break or a NUL in it")
    return as_received("\r\n".join([*lines, "", ""]))


class ExactWriter(StreamWriter):
    """aiohttp's writer of a message, but it sends every byte of the head."""

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None:
        """Have the head sent together with the first bytes of the body."""
        self._headers_written = False
        self._headers_buf = head(status_line, headers.items())


class ExactRequest(aiohttp.ClientRequest):
    """aiohttp's client request, without proxies, tracing and compression."""

    async def send(self, conn: "Connection") -> aiohttp.ClientResponse:
        """Send the request as aiohttp does, but by a writer that loses no byte."""
        protocol: Any = conn.protocol
        # A reader that empties a paused buffer after its answer's end starts the clock once more.
        stop_read_timer(protocol)
        protocol.sends_body = bool(self._body)
        writer = ExactWriter(protocol, self.loop)
        if self.chunked is not None:
            writer.enable_chunking()
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        task: asyncio.Task[None] | None = None
        if self._body or protocol.writing_paused:
            task = asyncio.create_task(self.write_bytes(writer, conn, self._get_content_length()))
            self._writer = task
        else:
            protocol.start_timeout()
            writer.set_eof()
        response: aiohttp.ClientResponse = self.response_class(
            self.method,
            self.original_url,
            writer=task,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=[],
            loop=self.loop,
            session=self._session,
            stream_writer=writer,
        )
        self.response = response  # type: ignore[assignment] # as aiohttp itself does
        return response
