"""Bodies whose connection is gone before their readers have heard of it."""

import asyncio

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol

from gateway.delivery.forward import read_on
from gateway.errors import UpstreamUnavailable
from gateway.server.linger import drained


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
