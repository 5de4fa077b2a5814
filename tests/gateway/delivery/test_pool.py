"""The idle connections to an upstream, over sockets whose other end the test holds."""

import asyncio
import socket
from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp.http import RawResponseMessage

from gateway.delivery.pool import UpstreamConnection, UpstreamPool
from gateway.stack.ports import HOST

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Asked:
    """An exchange that waits for its answer."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[tuple[RawResponseMessage, aiohttp.StreamReader]]
        self.answer = asyncio.get_running_loop().create_future()

    def upstream_answers(self, head: RawResponseMessage, body: aiohttp.StreamReader) -> None:
        self.answer.set_result((head, body))

    def upstream_lost(self) -> None:
        raise AssertionError("the connection was lost")

    def upstream_full(self) -> None: ...

    def upstream_drained(self) -> None: ...


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0)
        yield listener


async def used_once(pool: UpstreamPool, listener: socket.socket) -> socket.socket:
    """The other end of a connection that one exchange went well on, which is idle now."""
    connection = await pool.connect()
    other, _ = await asyncio.get_running_loop().sock_accept(listener)
    exchange = Asked()
    connection.begin(exchange)
    connection.write(REQUEST)
    other.send(ANSWER)
    await exchange.answer
    connection.end(reusable=True)
    return other


async def test_an_idle_connection_is_used_again(listener: socket.socket) -> None:
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    with await used_once(pool, listener):
        assert isinstance(pool.take(), UpstreamConnection)
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
