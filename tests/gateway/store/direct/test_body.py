"""Bodies that are sent from their buffer, by aiohttp to a real server."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import pytest

from chaos.servers.listening import listening
from gateway.store.direct.body import Body
from tests.flows.client import PATIENCE

CONTENT = random.Random(5).randbytes(3 * 1024**2 + 1)


class Taker:
    """Keeps the bodies that come to it, once it is `open`."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[bytes] = []
        self.open = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await self.open.wait()
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        assert length is not None
        try:
            self.taken.append(await reader.readexactly(int(length[1])))
        except asyncio.IncompleteReadError:
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()


@pytest.fixture
async def taker() -> AsyncIterator[Taker]:
    taker = Taker()
    async with listening(taker.serve) as taker.url:
        yield taker


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, len(CONTENT)])
async def test_all_of_the_buffer_arrives_each_time(taker: Taker, size: int) -> None:
    taker.open.set()
    buffer = BytesIO(CONTENT[:size])
    buffer.seek(0, 2)  # where the last write has left it
    body = Body(buffer)
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.put(taker.url, data=body):
                assert buffer.tell() == size
    assert taker.taken == [CONTENT[:size]] * 2


async def test_the_position_is_how_far_it_has_been_sent(taker: Taker) -> None:
    buffer = BytesIO(CONTENT * 9)  # more than fits in the buffers of two sockets
    async with aiohttp.ClientSession() as session:
        sending = asyncio.ensure_future(session.put(taker.url, data=Body(buffer)))
        async with asyncio.timeout(PATIENCE):
            while not buffer.tell():
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert 0 < buffer.tell() < len(CONTENT) * 9
        taker.open.set()
        async with session.put(taker.url, data=Body(buffer)):
            assert buffer.tell() == len(CONTENT) * 9
    assert taker.taken == [CONTENT * 9]
    buffer.write(b"x")  # nothing holds the buffer any more
