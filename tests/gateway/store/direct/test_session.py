"""How connections to the store are kept, used again and given up: by either client alike."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from typing import Final, Self

import pytest

from chaos.servers.listening import listening
from gateway.choices import S3ClientName
from gateway.store.objects import Multipart
from tests.gateway.store.direct.scripted import opened

either = pytest.mark.parametrize("client", list(S3ClientName))

DONE: Final = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\n\r\n'
BEGUN: Final = (
    b'HTTP/1.1 200 OK\r\nETag: "1"\r\nLast-Modified: Sun, 29 Nov 2026 07:00:00 GMT\r\n'
    b"Content-Length: 5\r\n\r\nby"
)
LARGE: Final = bytes(300 * 1024)


class Keeping:
    """Answers every request on the connection on which it came, which stays open."""

    def __init__(self, answers: Sequence[bytes], ends_after: int, at_once: int) -> None:
        """Each connection begins with the first answer; the last one is repeated.

        The server closes a connection without notice after `ends_after` requests. It answers only
        when `at_once` requests wait.
        """
        self.url = ""
        self._answers = answers
        self._ends_after = ends_after
        self._all_asked = asyncio.Barrier(at_once)
        self.connections: list[list[tuple[str, bytes]]] = []
        """Heads and bodies of the requests, by connection."""
        self.asked = asyncio.Event()
        """A request has come."""
        self.ended = asyncio.Event()
        """A connection has ended."""

    @classmethod
    @asynccontextmanager
    async def start(
        cls, *answers: bytes, ends_after: int = 1_000, at_once: int = 1
    ) -> AsyncIterator[Self]:
        store = cls(answers, ends_after, at_once)
        async with listening(store._serve) as store.url:
            yield store

    @property
    def requests(self) -> list[tuple[str, bytes]]:
        return [request for requests in self.connections for request in requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests: list[tuple[str, bytes]] = []
        self.connections.append(requests)
        with suppress(OSError, asyncio.IncompleteReadError):
            while len(requests) < self._ends_after:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                requests.append((head, body))
                self.asked.set()
                await self._all_asked.wait()
                writer.write(self._answers[min(len(requests), len(self._answers)) - 1])
                await writer.drain()
        writer.close()
        self.ended.set()


@either
async def test_calls_in_a_row_share_a_connection(client: S3ClientName) -> None:
    async with Keeping.start(DONE) as server, opened(server.url, client) as store:
        await store.put("key", b"bytes")
        await store.put("key", LARGE)
        await store.upload_part(Multipart("key", "id", whole_checksum=True), 1, BytesIO(LARGE), 0)
        await store.put("key", b"")
        await store.delete("key")
        (requests,) = server.connections
    assert [body for _, body in requests] == [b"bytes", LARGE, LARGE, b"", b""]


@either
async def test_calls_at_the_same_time_do_not_share_one(client: S3ClientName) -> None:
    async with Keeping.start(DONE, at_once=5) as server, opened(server.url, client) as store:
        await asyncio.gather(*(store.put("key", b"bytes") for _ in range(5)))
        assert [len(requests) for requests in server.connections] == [1] * 5


@either
async def test_a_connection_that_has_ended_since_is_replaced(client: S3ClientName) -> None:
    async with Keeping.start(DONE, ends_after=2) as server, opened(server.url, client) as store:
        for number in range(6):
            await store.put("key", b"%d" % number)
        assert [body for _, body in server.requests] == [b"%d" % number for number in range(6)]


@pytest.mark.parametrize("size", [5, len(LARGE)])
@either
async def test_interim_answers_are_no_answers(client: S3ClientName, size: int) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with Keeping.start(interim + DONE) as server, opened(server.url, client) as store:
        assert (await store.put("key", bytes(size))).etag == '"1"'
        assert (await store.put("key", bytes(size))).etag == '"1"'
        assert len(server.connections) == 1


@either
async def test_the_connection_of_a_cancelled_call_is_not_used_again(client: S3ClientName) -> None:
    async with Keeping.start(BEGUN) as server, opened(server.url, client) as store:
        for _ in range(2):
            call = asyncio.create_task(store.get("key"))
            await server.asked.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await server.ended.wait()
            server.asked.clear()
            server.ended.clear()
        assert [len(requests) for requests in server.connections] == [1, 1]


@either
async def test_a_redirect_to_another_server_takes_no_signature_along(client: S3ClientName) -> None:
    async with Keeping.start(DONE) as other:
        moved = f"HTTP/1.1 307 Moved\r\nLocation: {other.url}/place\r\nContent-Length: 0\r\n\r\n"
        async with Keeping.start(moved.encode()) as server, opened(server.url, client) as store:
            await store.put("key", b"bytes")
        ((first, _),), ((second, body),) = server.requests[:1], other.requests
    assert "\r\nauthorization: " in first.lower()
    assert second.startswith("PUT /place HTTP/1.1\r\n")
    assert body == b"bytes"
    assert f"\r\nhost: {other.url.removeprefix('http://')}\r\n" in second.lower()
    assert "authorization" not in second.lower()
