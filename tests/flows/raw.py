"""Requests as bytes on a socket, for what no client library sends."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE = 30.0
"""Seconds; a gateway lets a hosted upload wait 25 s for its registration."""
BOUNDARY = "b"


@dataclass(frozen=True)
class RawAnswer:
    """All that was received, and whether the peer closed the connection."""

    data: bytes
    closed: bool

    @property
    def status(self) -> int:
        return int(self.data.split(b" ", 2)[1]) if self.data else 0

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def form(data: bytes, name: str = "file", filename: str = "a.bin") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'
    start = f"--{BOUNDARY}\r\n{disposition}\r\n\r\n"
    return start.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


def chunked(body: bytes, size: int) -> bytes:
    """The body in chunks of `size` bytes, with the last chunk."""
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


FORM_TYPE = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"


async def exchange(
    url: str, *pieces: bytes, until: bytes | None = None, pause: float = 0.0
) -> RawAnswer:
    """Send the pieces, and read until the peer closes, or until the bytes come."""
    reader, writer = await _connect(url)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        return await _read(reader, until)
    finally:
        writer.close()


async def abandon(url: str, pieces: Sequence[bytes]) -> None:
    """Send the pieces, then reset the connection."""
    _, writer = await _connect(url)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    await asyncio.sleep(0.2)  # so that the peer has seen them before the reset
    writer.transport.abort()


async def leave(url: str, data: bytes) -> None:
    """Send the data, and close the connection at once."""
    _, writer = await _connect(url)
    writer.write(data)
    writer.close()
    await writer.wait_closed()


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(url)
    return await asyncio.open_connection(address.hostname, address.port)


async def _read(reader: asyncio.StreamReader, until: bytes | None) -> RawAnswer:
    data = b""
    async with asyncio.timeout(PATIENCE):
        while until is None or until not in data:
            try:
                chunk = await reader.read(65_536)
            except ConnectionError:
                return RawAnswer(data, closed=True)
            if not chunk:
                return RawAnswer(data, closed=True)
            data += chunk
    return RawAnswer(data, closed=False)
