"""A client that writes what it likes, and reads answers by their framing (RFC 9112)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

PATIENCE = 8.0
"""Seconds without a byte after which it is said that the gateway hangs; its time-outs are 1 s."""

WORKED_ON = 30.0
"""Seconds for what workers do. A gateway lets a hosted upload wait 25 s for its registration, and
libmagic needs a third of a second of CPU for some files: on a busy machine that takes many.
"""

_BODILESS = {204, 304}


class Hangs(AssertionError):
    """Neither an answer nor a close came."""


@dataclass(frozen=True)
class Reply:
    """One answer, and the statuses of the interim ones that came before it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    interim: tuple[int, ...] = ()
    version: str = "HTTP/1.1"

    def header(self, name: str) -> str | None:
        """The first header of that name, given in lower case."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def closes(self) -> bool:
        return (self.header("connection") or "").lower() == "close"


class Line:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sending: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        address = urlsplit(url)
        line = cls(*await asyncio.open_connection(address.hostname, address.port))
        try:
            yield line
        finally:
            await line._stop_sending()
            line._writer.transport.abort()

    async def send(self, pieces: Sequence[bytes], pause: float = 0.0) -> None:
        """Begin to send the pieces, with so many seconds in between; answers may come before."""
        await self._stop_sending()
        self._sending = asyncio.create_task(self._send(pieces, pause))

    def reset(self) -> None:
        """End the connection by RST."""
        self._writer.transport.abort()

    def end(self) -> None:
        """Send no more, and go on reading."""
        with suppress(OSError):
            self._writer.write_eof()

    async def sent(self) -> None:
        """Wait until the peer has taken all that was sent, or has gone."""
        if self._sending is not None:
            await self._sending

    async def reply(self, patience: float = PATIENCE, *, bodiless: bool = False) -> Reply | None:
        """The next answer, None where the peer closes first; `bodiless` where it is one to HEAD.

        Raises Hangs where its head does not come within so many seconds.
        """
        interim: list[int] = []
        while (head := await self._head(patience)) is not None:
            version, status, headers = head
            if status >= 200 or status == 101:
                body = b"" if bodiless else await self._body(status, dict(headers))
                return Reply(status, headers, body, tuple(interim), version)
            interim.append(status)
        assert not interim, f"{interim} was followed by nothing"
        return None

    async def closed(self) -> bool:
        """Whether the peer closes, without another byte, within our patience."""
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE + 12):  # as long as it may linger
                return not await self._reader.read(1)
        return True

    async def _send(self, pieces: Sequence[bytes], pause: float) -> None:
        with suppress(ConnectionError):
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()
                await asyncio.sleep(pause)

    async def _stop_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _head(self, patience: float) -> tuple[str, int, tuple[tuple[str, str], ...]] | None:
        try:
            async with asyncio.timeout(patience):
                head = await self._reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            raise Hangs from None
        except ConnectionError:
            return None
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return None
        opening, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        version, status, *_ = opening.split(" ")
        assert version in {"HTTP/1.1", "HTTP/1.0"}, opening
        fields = (line.partition(":") for line in lines)
        named = tuple((name.lower(), value.strip()) for name, _, value in fields)
        return version, int(status), named

    async def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status in _BODILESS:
            return b""
        try:
            async with asyncio.timeout(PATIENCE):
                if headers.get("transfer-encoding") == "chunked":
                    return await self._chunks()
                if (length := headers.get("content-length")) is not None:
                    return await self._reader.readexactly(int(length))
                return await self._reader.read()
        except TimeoutError:
            raise Hangs from None

    async def _chunks(self) -> bytes:
        body = b""
        while size := int((await self._reader.readuntil(b"\r\n")).strip(), 16):
            body += await self._reader.readexactly(size)
            assert await self._reader.readexactly(2) == b"\r\n"
        assert await self._reader.readexactly(2) == b"\r\n"
        return body
