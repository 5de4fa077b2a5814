"""Bodies on connections that have ended before their readers know it."""

import asyncio
import socket
import struct

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol

from gateway.delivery.forward import read_on
from gateway.errors import UpstreamUnavailable
from gateway.server.connection.linger import drained, end_answers


@pytest.fixture
async def cut() -> aiohttp.StreamReader:
    """A body that has not ended, on a connection that has."""
    loop = asyncio.get_running_loop()
    return aiohttp.StreamReader(BaseProtocol(loop), 1024, loop=loop)


async def test_the_rest_of_a_body_is_not_waited_for(cut: aiohttp.StreamReader) -> None:
    assert not await drained(cut, 5)


async def test_an_answer_is_cut(cut: aiohttp.StreamReader) -> None:
    with pytest.raises(UpstreamUnavailable):
        await read_on(cut, 5)


async def test_a_client_that_reset_the_connection_unnoticed_is_no_fault() -> None:
    """As where it goes away while its answer is on the way: asyncio learns of it only later."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, accepted)
    client.close()  # with a reset
    with pytest.raises(OSError, match="not connected"):
        accepted.shutdown(socket.SHUT_WR)
    end_answers(transport)
    end_answers(None)
    transport.abort()
