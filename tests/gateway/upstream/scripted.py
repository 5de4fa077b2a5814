"""A server that answers with the bytes it is told to, for what no well-behaved server would do."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

from chaos.servers.listening import listening


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it was received."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Last(bytes):
    """An answer after which the connection is closed."""


Reply = bytes | Callable[[Received], Awaitable[bytes]]
"""The bytes of an answer, or what makes them."""

CUT = Last()


@dataclass(slots=True)
class ScriptedServer:
    """Answers each request with the next reply of its script, the last one ever after."""

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    _script: deque[Reply] = field(default_factory=deque)

    @classmethod
    @asynccontextmanager
    async def start(cls) -> AsyncIterator[Self]:
        """Serve on a free port of 127.0.0.1."""
        scripted = cls()
        async with listening(scripted._serve) as scripted.url:
            yield scripted

    def replies(self, *script: Reply) -> None:
        """Set the script."""
        self._script = deque(script)

    @property
    def targets(self) -> list[str]:
        """Method and target of each request so far."""
        return [f"{request.method} {request.target}" for request in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                answer = b""
                while not isinstance(answer, Last):
                    answer = await self._answer(await _received(reader))
                    writer.write(answer)
                    await writer.drain()
        finally:
            writer.close()

    async def _answer(self, request: Received) -> bytes:
        self.requests.append(request)
        reply = self._script.popleft() if len(self._script) > 1 else self._script[0]
        return reply if isinstance(reply, bytes) else await reply(request)


async def _received(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.strip().split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in fields)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body)


def answer(status: int, body: object = None, headers: Mapping[str, str] | None = None) -> bytes:
    """A well-formed answer; `body` is JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {
        "Content-Type": "application/json",
        **(headers or {}),
        "Content-Length": str(len(content)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + content


def silence(seen: asyncio.Event) -> Reply:
    """Reads the request, says so, and never answers."""

    async def wait(_: Received) -> bytes:
        seen.set()
        await asyncio.Event().wait()
        return CUT

    return wait
