"""What aiohttp's handler makes of lent bytes, by the same parser: the requests and their ends."""

import asyncio
from typing import Final

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser

_BLANK_LINE: Final = b"\r\n\r\n"
_BUFFER: Final = 65_536
_UNBOUNDED: Final = 2**30


def request_parser(
    protocol: BaseProtocol, loop: asyncio.AbstractEventLoop, buffer: int = _BUFFER
) -> HttpRequestParser:
    """A parser as strict as that of aiohttp's handler, which has the default limits as well."""
    return HttpRequestParser(protocol, loop, buffer, auto_decompress=False)


class Shadow:
    """Counts the requests in a stream of bytes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.requests = 0
        self._parser = request_parser(BaseProtocol(loop), loop, _UNBOUNDED)
        self._body: aiohttp.StreamReader | None = None
        self._tail = b""
        self.broken = False

    @property
    def ended(self) -> bool:
        """Whether the last byte was the end of a request.

        A request whose length is told by its head may end in any byte; then it is not known.
        """
        complete = self._body is None or self._body.is_eof()
        return not self.broken and complete and self._tail == _BLANK_LINE

    def see(self, data: bytes) -> None:
        """The next bytes; those of bodies are not kept."""
        self._tail = (self._tail + data[-len(_BLANK_LINE) :])[-len(_BLANK_LINE) :]
        if self.broken:
            return
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
        except HttpProcessingError:
            self.broken = True
            return
        self.broken = upgraded
        self.requests += len(messages)
        if messages:
            self._body = messages[-1][1]
        if self._body is None:
            return
        if self._body.exception() is not None:
            self.broken = True
        elif not self._body.at_eof():
            self._body.read_nowait(-1)
