"""A caller that stops waiting for a connection leaves no socket open."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from redis.asyncio.connection import AbstractConnection

from chaos.servers.listening import listening
from gateway.delivery.relay.upstream import UpstreamConnection, UpstreamPool
from gateway.redis.pool import RolePool
from gateway.stack.ports import HOST, free_port

TURNS = 40
"""Turns of the loop, within which a connection on this machine is there."""


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak neither HTTP nor Redis."""
    try:
        while await reader.read(65_536):
            pass
    finally:
        writer.close()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    number = free_port()
    async with listening(hold, number):
        yield number


async def by_the_fast_engine(port: int) -> None:
    connection = await UpstreamPool(f"http://{HOST}:{port}").connect()
    assert isinstance(connection, UpstreamConnection)
    connection.end(reusable=False)


async def by_redis(port: int) -> None:
    connection = RolePool.of(f"redis://{HOST}:{port}").make_connection()
    assert isinstance(connection, AbstractConnection)
    try:
        await connection.connect()
    finally:
        await connection.disconnect(nowait=True)


@pytest.mark.parametrize("connect", [by_the_fast_engine, by_redis])
async def test_a_cancelled_connection_is_closed(
    port: int, connect: Callable[[int], Awaitable[None]]
) -> None:
    gc.collect()  # what others have left
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ResourceWarning)
        for turns in range(TURNS):
            connecting = asyncio.ensure_future(connect(port))
            for _ in range(turns):
                await asyncio.sleep(0)
            connecting.cancel()
            with suppress(asyncio.CancelledError):
                await connecting
        del connecting
        gc.collect()
    assert not [each for each in said if "unclosed" in str(each.message)]
