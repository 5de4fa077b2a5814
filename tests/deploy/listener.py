"""A server that keeps what it receives, byte for byte, and answers as a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from gateway.stack.ports import HOST, free_port

PATIENCE = 60.0

READY = b"GET /gateway/readyz "
"""How a balancer's readiness check begins; it is answered, and not kept."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def answer_ok(writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


async def break_off(writer: asyncio.StreamWriter) -> None:
    """As a gateway that dies while it has the request."""
    writer.transport.abort()


class Listener:
    """What arrived, one entry for each connection; `answer` is sent at the end of a body."""

    def __init__(self, port: int, answer: Answer, end: bytes) -> None:
        self.port = port
        self.requests: list[bytearray] = []
        self._answer = answer
        self._end = end
        self._changed = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, answer: Answer = answer_ok, end: bytes = b"\r\n\r\n"
    ) -> AsyncIterator["Listener"]:
        """`end`: with what a request that is to be answered ends."""
        listener = cls(free_port(), answer, end)
        server = await asyncio.start_server(listener._serve, HOST, listener.port)
        try:
            yield listener
        finally:
            server.close()

    async def until(self, bytes_received: int) -> None:
        """Wait until that number of bytes has arrived in all."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: sum(map(len, self.requests)) >= bytes_received)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                await self._receive(reader, writer)
        finally:
            writer.close()

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = None
        while data := await reader.read(65_536):
            if request is None and data.startswith(READY):
                writer.write(OK)
                continue
            if request is None:
                self.requests.append(request := bytearray())
            request += data
            async with self._changed:
                self._changed.notify_all()
            if request.endswith(self._end):
                await self._answer(writer)
                request = None
