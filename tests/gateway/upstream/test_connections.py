"""Connections of aiohttp that are kept, over sockets whose other end the test holds."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.delivery.forward import upstream_session
from gateway.stack.ports import HOST
from gateway.upstream.connections import connector
from tests.gateway.delivery.relay.test_upstream import LEFT

LAST_CHUNK = b"\r\n0\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def answer(other: socket.socket, says: bytes = ANSWER) -> None:
    """Read one request, which comes in one piece, and answer it."""
    assert await asyncio.get_running_loop().sock_recv(other, 65_536)
    other.send(says)


async def accepted(listener: socket.socket, says: bytes = ANSWER) -> socket.socket:
    other, _ = await asyncio.get_running_loop().sock_accept(listener)
    await answer(other, says)
    return other


async def post(session: aiohttp.ClientSession, listener: socket.socket) -> int:
    url = f"http://{HOST}:{listener.getsockname()[1]}/"
    async with session.post(url, data=b"once") as response:
        await response.read()
        return response.status


async def test_a_kept_connection_is_used_again_but_never_one_that_was_closed() -> None:
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0)
        async with aiohttp.ClientSession(connector=connector(1)) as session:
            status, other = await asyncio.gather(post(session, listener), accepted(listener))
            with other:
                again, _ = await asyncio.gather(post(session, listener), answer(other))
            # The loop has had no turn in which to notice that it is closed.
            once_more, last = await asyncio.gather(post(session, listener), accepted(listener))
            last.close()
    assert (status, again, once_more) == (200, 200, 200)


@pytest.mark.parametrize("while_idle", [False, True])
@pytest.mark.parametrize("left", LEFT)
async def test_bytes_after_an_answer_do_not_belong_to_the_next(left: str, while_idle: bool) -> None:
    says = LEFT[left]
    whole = ANSWER if says.startswith(ANSWER) else b""
    first, behind = (whole, says[len(whole) :]) if while_idle and whole else (says, b"")
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0)
        async with aiohttp.ClientSession(connector=connector(1)) as session:
            _, other = await asyncio.gather(post(session, listener), accepted(listener, first))
            with other:
                if behind:
                    other.send(behind)
                    await asyncio.sleep(0.01)  # so that the loop has read it
                async with asyncio.timeout(5):
                    status, last = await asyncio.gather(post(session, listener), accepted(listener))
                last.close()
    assert status == 200


async def test_the_clock_of_an_answer_that_was_read_slowly_does_not_end_the_next_request() -> None:
    size = 600 * 1024  # as it arrives, its last bytes fill what the reader holds
    large = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(large)
            await reader.readuntil(LAST_CHUNK)
            writer.write(ANSWER)
        finally:
            writer.close()

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"piece"
            await asyncio.sleep(0.5)

    server = await asyncio.start_server(serve, HOST, 0)
    url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/"
    async with server, upstream_session(1.0) as session, asyncio.timeout(30):
        async with session.get(url) as response:
            read = 0
            while read < size:
                await asyncio.sleep(0.1)
                read += len(await response.content.readany())
        async with session.post(url, data=slow()) as response:
            assert await response.read() == b"{}"


@pytest.mark.parametrize("pieces", [1, 2, 3])
async def test_an_answer_before_a_reset_is_read_wherever_the_body_breaks(pieces: int) -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}"
    reset = struct.pack("ii", 1, 0)
    with socket.create_server((HOST, 0)) as listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}/"

        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            # The loop has no turn in which to hear the answer, or of the reset.
            other, _ = listener.accept()
            with other:
                assert other.recv(65_536)
                other.send(refusal)
                other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            for _ in range(pieces - 1):
                yield b"more"

        async with upstream_session(5.0) as session, asyncio.timeout(5):
            response = await session.post(url, data=body())
            assert (response.status, await response.content.read()) == (413, b"{}")
            response.close()
