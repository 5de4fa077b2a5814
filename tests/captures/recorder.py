"""A raw TCP server that keeps each request exactly as it came, and answers like ChatKitty."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
TOKEN: Final = {"access_token": "ACCESS-TOKEN", "token_type": "bearer", "expires_in": 42892}
JOB: Final = {
    "id": 202, "type": "USER_IMPORT", "state": "PENDING",
    "createdTime": "2022-03-28T05:30:44.265Z", "_links": {},
}  # fmt: skip
MESSAGE: Final = {
    "id": 44905, "type": "SYSTEM_FILE", "channelId": 702, "nestedLevel": 0, "properties": {},
    "file": {"type": "HOSTED", "url": "https://example.com/f.png", "name": "f.png",
             "contentType": "image/png", "size": 1},
    "createdTime": "2021-09-16T20:45:33.696Z",
}  # fmt: skip


@dataclass
class Recorder:
    """Every request since the start, oldest first."""

    url: str
    requests: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def recording() -> AsyncIterator[Recorder]:
    """Listen on a free port of 127.0.0.1 for as long as the context lasts."""
    recorder = Recorder(url="")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader, writer)
        recorder.requests.append(request)
        writer.write(_answer(request))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    recorder.url = "http://127.0.0.1:{1}".format(*server.sockets[0].getsockname())
    async with server:
        yield recorder


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """One request as its bytes came: head, and body by its length or in its chunks.

    A client that expects a `100 Continue` gets it on `writer`.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    if re.search(rb"\r\nexpect: 100-continue\r\n", head, re.IGNORECASE):
        writer.write(CONTINUE)
    if re.search(rb"\r\ntransfer-encoding: chunked\r\n", head, re.IGNORECASE):
        return head + await _read_chunks(reader)
    length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head, re.IGNORECASE)
    return head + await reader.readexactly(int(length[1]) if length else 0)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while not body.endswith(b"\r\n0\r\n\r\n"):
        size_line = await reader.readuntil(b"\r\n")
        body += size_line
        body += await reader.readexactly(int(size_line, 16) + len(b"\r\n"))
    return bytes(body)


def _answer(request: bytes) -> bytes:
    path = request.split(b" ", 2)[1]
    status, document = "200 OK", MESSAGE
    if path == b"/oauth/token":
        document = TOKEN
    elif b"/imports/" in path:
        status, document = "202 Accepted", JOB
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
