"""A line to a server that breaks after a number of bytes, as a phone's does on its way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Self
from urllib.parse import urlsplit

from chaos.servers.listening import listening

BYTES_AT_ONCE = 64 * 1024


class CutLine:
    """What was sent before a cut arrives; the client learns nothing more."""

    def __init__(self) -> None:
        self.url = ""
        self.server = ""
        """Where it leads to, once that is known: the server may have to know the line's URL."""
        self.passed = 0
        """Bytes that clients sent."""
        self.at_cut: Callable[[], None] | None = None
        """What is done where the line breaks, before its ends learn of that."""
        self.until_settled: Callable[[], Awaitable[None]] | None = None
        """What is waited for before the client learns that the line broke, and the server has."""
        self._cuts: list[int] = []

    @classmethod
    @asynccontextmanager
    async def lay(cls) -> AsyncIterator[Self]:
        line = cls()
        async with listening(line._serve) as line.url:
            yield line

    def cut_at(self, places: Iterable[int]) -> None:
        """Break the connection that carries the byte of each of these numbers, from now on."""
        self.passed = 0
        self._cuts = sorted(places)

    @property
    def cuts_left(self) -> int:
        return len(self._cuts)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = urlsplit(self.server)
        answers, requests = await asyncio.open_connection(address.hostname, address.port)
        back = asyncio.create_task(_copy(answers, writer))
        cut = False
        try:
            with suppress(ConnectionError):
                cut = await self._forward(reader, requests)
        finally:
            requests.close()  # after what was sent
            if cut and self.until_settled is not None:
                await self.until_settled()
            back.cancel()
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Forward until the client ends; returns whether the line broke before."""
        while data := await reader.read(BYTES_AT_ONCE):
            if self._cuts and self.passed + len(data) > self._cuts[0]:
                data = data[: self._cuts.pop(0) - self.passed]
                self.passed += len(data)
                writer.write(data)
                if self.at_cut is not None:
                    self.at_cut()
                return True
            self.passed += len(data)
            writer.write(data)
            await writer.drain()
        return False


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(BYTES_AT_ONCE):
            writer.write(data)
            await writer.drain()
        writer.close()
