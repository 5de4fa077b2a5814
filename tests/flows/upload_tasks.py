"""Upload tasks of iOS, byte for byte on their connections."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from tests.flows.client import Client
from tests.flows.raw import head

CONTENT: Final = bytes(range(251)) * 12_000
HALF: Final = len(CONTENT) // 2
_PATIENCE: Final = 20.0
INTERIM: Final = "HTTP/1.1 104 Upload Resumption Supported"

TASKS: Final = {
    "3": ("Upload-Incomplete: ?0",),
    "5": ("Upload-Complete: ?1",),
    "6": ("Upload-Complete: ?1",),
    "8": ("Upload-Complete: ?1", f"Upload-Length: {len(CONTENT)}"),
}
"""What upload tasks say by version: of iOS 17.0, 18.0, 18.1 and 26."""


@dataclass(frozen=True)
class Task:
    """An upload task on its connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> tuple[str, dict[str, str]]:
        """The status line and the fields of the next response."""
        async with asyncio.timeout(_PATIENCE):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = (line.partition(": ") for line in lines[1:] if line)
        return lines[0], {name: value for name, _, value in fields}

    async def answer(self) -> tuple[str, dict[str, str], Any]:
        """The final response."""
        status, fields = await self.head()
        async with asyncio.timeout(_PATIENCE):
            body = await self.reader.readexactly(int(fields["Content-Length"]))
        return status, fields, json.loads(body)

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()


def begun(
    client: Client, channel: int, *lines: str, size: int = len(CONTENT)
) -> AbstractAsyncContextManager[Task]:
    """An upload task that sends a file as it is."""
    own = (
        f"Content-Length: {size}",
        "Content-Type: video/mp4",
        'Content-Disposition: inline; filename="clip.mp4"',
    )
    path = f"/gateway/raw/v1/channels/{channel}/messages?groupTag=cats"
    return begun_at(client, path, *own, *lines)


@asynccontextmanager
async def begun_at(client: Client, path: str, *lines: str) -> AsyncIterator[Task]:
    """An upload task that has sent its head; it is cut at the end."""
    address = urlsplit(client.url)
    task = Task(*await asyncio.open_connection(address.hostname, address.port))
    try:
        await task.send(head(path, f"Authorization: Bearer {client.token}", *lines))
        yield task
    finally:
        task.writer.close()
        with suppress(ConnectionError):
            await task.writer.wait_closed()


def spoken(version: str) -> str:
    return f"Upload-Draft-Interop-Version: {version}"
