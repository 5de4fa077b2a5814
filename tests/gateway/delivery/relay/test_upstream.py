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
        self.answer: asyncio.Future[tuple[RawResponseMessage, bytes | aiohttp.StreamReader]]
        self.answer = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def upstream_answers(
        self, head: RawResponseMessage, body: bytes | aiohttp.StreamReader
    ) -> None:
        self.answer.set_result((head, body))

    async def read(self) -> tuple[RawResponseMessage, bytes]:
        """The answer, when all of it has arrived."""
        head, body = await self.answer
        return head, body if isinstance(body, bytes) else await body.read()

    def upstream_lost(self, why: str) -> None:
        self.lost.set_result(why)

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
    await exchange.read()
    connection.end(reusable=True)
    return other


async def test_an_idle_connection_is_used_again(listener: socket.socket) -> None:
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    with await used_once(pool, listener):
        assert isinstance(pool.take(), UpstreamConnection)
    pool.close()


@pytest.mark.parametrize("left", LEFT)
async def test_a_connection_with_bytes_after_the_answer_is_not_used_again(
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
        head, body = await exchange.read()
        assert (head.code, body) == (200, b"{}")
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
async def test_a_connection_that_was_just_closed_is_not_used_again(
    last: bytes, listener: socket.socket
) -> None:
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    with await used_once(pool, listener) as other:
        other.send(last)
    assert pool.take() is None  # the loop has had no turn in which to notice
    pool.close()


@pytest.mark.parametrize(
    "last", [b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"]
)
async def test_a_farewell_is_not_an_answer_to_the_next_request(
    last: bytes, listener: socket.socket
) -> None:
    """A request with a body is sent when its first bytes arrive, which may be a while."""
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    with await used_once(pool, listener) as other:
        connection = pool.take()
        assert connection is not None
        exchange = Asked()
        connection.begin(exchange)
        other.send(last)
    async with asyncio.timeout(5):
        await exchange.lost
    assert not exchange.answer.done()
    pool.close()


async def test_an_unread_write_buffer_does_not_keep_an_aborted_request(
    listener: socket.socket,
) -> None:
    """Its descriptor would be kept until the peer reads, or for ever."""
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    connection = await pool.connect()
    other, _ = await asyncio.get_running_loop().sock_accept(listener)
    connection.begin(Asked())
    connection.write(REQUEST + bytes(64 * 1024**2))
    connection.end(reusable=False)
    async with asyncio.timeout(5):
        while connection in pool._open:
            await asyncio.sleep(0.001)
    other.close()
    pool.close()


# --- a body that is streamed ---------------------------------------------------------------------

LARGE = b"0123456789abcdef" * 60_000
CODED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"".join(
    b"%x\r\n%b\r\n" % (len(piece), piece)
    for piece in (LARGE[at : at + 50_000] for at in range(0, len(LARGE), 50_000))
)
TINY = b"".join(b"1\r\n%c\r\n" % byte for byte in LARGE)
WITH_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE)
SOUND = {
    "a length": (WITH_LENGTH + LARGE, True),
    "chunks": (CODED + CHUNKS + b"0\r\n\r\n", True),
    "the end of the connection": (b"HTTP/1.1 200 OK\r\n\r\n" + LARGE, False),
    "a length, and more behind": (WITH_LENGTH + LARGE + b"HTTP", False),
    "chunks, and more behind": (CODED + CHUNKS + b"0\r\n\r\nHTTP", False),
    "a length, and it closes": (
        WITH_LENGTH.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n") + LARGE,
        False,
    ),
}
"""By what ends them: answers with the same body, and whether their connection is kept."""

BROKEN = {
    "a length": WITH_LENGTH + LARGE[:-1],
    "chunks": CODED + CHUNKS,
    "no chunk": CODED + CHUNKS + b"zz\r\n",
}


class Taking(Asked):
    """A passage that takes the body of its answer as it comes."""

    def __init__(self, connection: UpstreamConnection) -> None:
        super().__init__()
        self._connection = connection
        self.resume = connection.resume
        self.pauses = False
        """Whether it has enough for now with the next bytes; it says so once."""
        self.taken = bytearray()
        self.ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def upstream_answers(
        self, head: RawResponseMessage, body: bytes | aiohttp.StreamReader
    ) -> None:
        assert not isinstance(body, bytes)
        super().upstream_answers(head, body)
        self._connection.stream(self)

    def upstream_sends(self, data: bytes) -> None:
        assert data
        self.taken += data
        if self.pauses:
            self.pauses = False
            self._connection.pause()

    def upstream_ends(self) -> None:
        self._connection.end(reusable=True)
        self.ended.set_result(True)

    def upstream_breaks(self) -> None:
        self.ended.set_result(False)


async def taking(
    pool: UpstreamPool, listener: socket.socket, answer: bytes, size: int
) -> tuple[Taking, socket.socket]:
    """A passage whose answer came in pieces of that size, and the other end of its connection."""
    connection = await pool.connect()
    loop = asyncio.get_running_loop()
    other, _ = await loop.sock_accept(listener)
    other.settimeout(0)
    passage = Taking(connection)
    connection.begin(passage)
    connection.write(REQUEST)
    assert await loop.sock_recv(other, 1000) == REQUEST
    for at in range(0, len(answer), size):
        await loop.sock_sendall(other, answer[at : at + size])
    return passage, other


@pytest.mark.parametrize("size", [70_001, 2_000_000])
@pytest.mark.parametrize("end", SOUND)
async def test_a_body_is_streamed_to_its_end(end: str, size: int, listener: socket.socket) -> None:
    answer, kept = SOUND[end]
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    passage, other = await taking(pool, listener, answer, size)
    if end == "the end of the connection":
        other.close()
    async with asyncio.timeout(5):
        assert await passage.ended
    assert passage.taken == LARGE
    await asyncio.sleep(0.01)  # in which what is behind it arrives
    connection = pool.take()
    assert (connection is not None) is kept
    if connection is not None:  # it reads the next answer as well
        exchange = Asked()
        connection.begin(exchange)
        connection.write(REQUEST)
        other.send(ANSWER)
        assert (await exchange.read())[1] == b"{}"
    other.close()
    pool.close()


@pytest.mark.parametrize("end", BROKEN)
async def test_a_body_without_an_end_breaks(end: str, listener: socket.socket) -> None:
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    passage, other = await taking(pool, listener, BROKEN[end], 100_000)
    other.close()
    async with asyncio.timeout(5):
        assert not await passage.ended
    assert pool.take() is None
    pool.close()


async def test_a_reset_does_not_end_a_body(listener: socket.socket) -> None:
    """What had been sent before it may be lost."""
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    passage, other = await taking(pool, listener, b"HTTP/1.1 200 OK\r\n\r\nbegun", 1000)
    async with asyncio.timeout(5):
        while not passage.taken:
            await asyncio.sleep(0.001)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        other.close()
        assert not await passage.ended
    pool.close()


@pytest.mark.parametrize("framing", ["length", "chunks", "tiny chunks"])
async def test_nothing_is_read_while_it_is_paused(framing: str, listener: socket.socket) -> None:
    """Though aiohttp asks for more whenever its reader is read from, and holds tiny chunks back."""
    opening, body = {
        "length": (WITH_LENGTH, LARGE),
        "chunks": (CODED, CHUNKS + b"0\r\n\r\n"),
        "tiny chunks": (CODED, TINY + b"0\r\n\r\n"),
    }[framing]
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    passage, other = await taking(pool, listener, opening, 1000)
    passage.pauses = True
    sending = asyncio.ensure_future(asyncio.get_running_loop().sock_sendall(other, body))
    async with asyncio.timeout(10):
        while not passage.taken:
            await asyncio.sleep(0.001)
        taken = len(passage.taken)
        await asyncio.sleep(0.1)
        assert len(passage.taken) == taken < len(LARGE)
        passage.resume()
        assert await passage.ended
        await sending
    assert passage.taken == LARGE
    other.close()
    pool.close()


@pytest.mark.parametrize("body", [b"H", b"\r\nHTTP/1.1 418 Left over\r\nX-Left: over"])
async def test_bytes_after_an_answer_to_head_are_not_its_body(
    body: bytes, listener: socket.socket
) -> None:
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    connection = await pool.connect()
    other, _ = await asyncio.get_running_loop().sock_accept(listener)
    exchange = Asked()
    connection.begin(exchange, bodiless=True)
    connection.write(REQUEST)
    other.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert (await exchange.read())[1] == b""
    connection.end(reusable=True)
    assert pool.take() is None
    other.close()
    pool.close()


async def test_the_answer_to_head_has_no_body(listener: socket.socket) -> None:
    pool = UpstreamPool(f"http://{HOST}:{listener.getsockname()[1]}")
    connection = await pool.connect()
    other, _ = await asyncio.get_running_loop().sock_accept(listener)
    for bodiless in (True, False, True):
        exchange = Asked()
        connection.begin(exchange, bodiless=bodiless)
        connection.write(REQUEST)
        other.send(ANSWER if not bodiless else ANSWER[:-2])
        head, body = await exchange.read()
        assert head.headers["Content-Length"] == "2"
        assert body == (b"" if bodiless else b"{}")
        connection.end(reusable=True)
        assert pool.take() is connection
    other.close()
    pool.close()
