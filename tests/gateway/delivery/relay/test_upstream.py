"""The idle connections to an upstream, over sockets whose other end the test holds."""

import asyncio
import socket
import struct
from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp.http import RawResponseMessage

from gateway.delivery.relay.upstream import UpstreamConnection, UpstreamPool
from gateway.stack.ports import HOST

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
LEFT = {
    "half a status line": ANSWER + b"HTT",
    "half a head": ANSWER + b"HTTP/1.1 418 Left over\r\nX-Left: over",
    "nearly a head": CHUNKED + b"\r\nHTTP/1.1 418 Left over\r\nX-Left: over\r\n",
    "half an answer": ANSWER + b"HTTP/1.1 418 Left over\r\nContent-Length: 100\r\n\r\nover",
    "an answer": ANSWER + ANSWER,
    "an interim answer": ANSWER + b"HTTP/1.1 103 Early Hints\r\nX-Left: over",
    "trailers": CHUNKED + b"X-Left: over\r\n\r\n",
}
"""An answer, and what is left behind it."""


class Asked:
    """An exchange that waits for its answer."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[tuple[RawResponseMessage, aiohttp.StreamReader]]
        self.answer = asyncio.get_running_loop().create_future()

    def upstream_answers(
        self,
        head: RawResponseMessage,
        body: aiohttp.StreamReader,
        whole: bytes | None,  # noqa: ARG002 - the same bytes as those of the stream
    ) -> None:
        self.answer.set_result((head, body))

    def upstream_lost(self, why: str) -> None:
        raise AssertionError(why)

    def upstream_full(self) -> None: ...

    def upstream_drained(self) -> None: ...


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0)
        yield listener


async def used_once(
    pool: UpstreamPool, listener: socket.socket, answer: bytes = ANSWER
) -> socket.socket:
    """The other end of a connection that one exchange went well on, which is idle now."""
    connection = await pool.connect()
    other, _ = await asyncio.get_running_loop().sock_accept(listener)
    exchange = Asked()
    connection.begin(exchange)
    connection.write(REQUEST)
    other.send(answer)
    await (await exchange.answer)[1].read()
    connection.end(reusable=True)
    return other


async def test_an_idle_connection_is_used_again(listener: socket.socket) -> None:
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    with await used_once(pool, listener):
        assert isinstance(pool.take(), UpstreamConnection)
    pool.close()


@pytest.mark.parametrize("left", LEFT)
async def test_one_on_which_more_came_than_the_answer_is_not(
    left: str, listener: socket.socket
) -> None:
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    with await used_once(pool, listener, LEFT[left]) as other:
        assert pool.take() is None
        other.settimeout(5)
        assert await asyncio.to_thread(other.recv, 1000) == REQUEST
        assert await asyncio.to_thread(other.recv, 1) == b""
    pool.close()


@pytest.mark.parametrize("at_once", [True, False])
async def test_an_answer_that_arrives_before_a_reset_is_read(
    listener: socket.socket, at_once: bool
) -> None:
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    connection = await pool.connect()
    other, _ = await asyncio.get_running_loop().sock_accept(listener)
    exchange = Asked()
    connection.begin(exchange)
    connection.write(REQUEST)
    if not at_once:
        await asyncio.sleep(0)
    other.send(ANSWER)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    other.close()  # by a reset
    connection.write(b"more")  # an error, before the loop has read anything
    async with asyncio.timeout(5):
        head, body = await exchange.answer
        assert (head.code, await body.read()) == (200, b"{}")
    pool.close()


async def test_a_connection_that_has_ended_is_forgotten(listener: socket.socket) -> None:
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    connection = await pool.connect()
    other, _ = await asyncio.get_running_loop().sock_accept(listener)
    other.close()
    async with asyncio.timeout(5):
        while connection in pool._open:
            await asyncio.sleep(0.001)
    pool.close()


@pytest.mark.parametrize("last", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
async def test_one_that_was_closed_a_moment_ago_is_not(
    last: bytes, listener: socket.socket
) -> None:
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    with await used_once(pool, listener) as other:
        other.send(last)
    assert pool.take() is None  # the loop has had no turn in which to notice
    pool.close()
