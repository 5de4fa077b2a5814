"""Uploads over keep-alive connections, as many at a time as asked for."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

BOUNDARY = b"----bench"
CHUNK = bytes(range(256)) * 1024
PATH = "/v1/channels/702/messages"


@dataclass(frozen=True)
class Load:
    """So many uploads of `size` bytes each, over `connections`."""

    size: int
    uploads: int
    connections: int

    @property
    def gib(self) -> float:
        return self.size * self.uploads / 1024**3


async def run_load(url: str, load: Load, token: str) -> None:
    """Upload all of it. Raises AssertionError for any answer but a 200."""
    address = urlsplit(url)
    async with asyncio.TaskGroup() as group:
        for _ in range(load.connections):
            group.create_task(_uploads(str(address.hostname), address.port or 80, load, token))


async def _uploads(host: str, port: int, load: Load, token: str) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    opening = (
        b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n"
    )
    closing = b"\r\n--" + BOUNDARY + b"--\r\n"
    length = len(opening) + load.size + len(closing)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()
    for _ in range(load.uploads // load.connections):
        writer.write(head + opening)
        left = load.size
        while left:
            piece = CHUNK[:left]
            writer.write(piece)
            await writer.drain()
            left -= len(piece)
        writer.write(closing)
        await _answered(reader)
    writer.close()


async def _answered(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n", 1)[0], head
    lengths = [
        int(line.partition(b":")[2])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    ]
    if lengths:
        await reader.readexactly(lengths[0])
    else:  # chunked, as nginx may make of it
        await reader.readuntil(b"0\r\n\r\n")
