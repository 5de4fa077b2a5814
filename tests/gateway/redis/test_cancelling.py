"""Who asks Redis, or its sentinels, can be cancelled at any moment, and ends then."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import pytest
from redis.asyncio import Redis

from gateway.redis.address import RedisAddress
from gateway.redis.pool import RolePool
from gateway.redis.sentinels import PrimaryUnknown, Sentinels

_TASKS: Final = 100
_MOST_TURNS: Final = 60
"""Turns of the loop before a task is cancelled; a command takes some five."""


async def ask(redis: Redis) -> None:
    await redis.get("cancelling")


async def ask_in_a_pipeline(redis: Redis) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.get("cancelling")
        await pipeline.execute()


async def ask_for_ever(command: Callable[[], Awaitable[None]]) -> None:
    while True:
        await command()


async def cancel_at_any_moment(command: Callable[[], Awaitable[None]]) -> None:
    moments = random.Random(7)
    for _ in range(_TASKS):
        task = asyncio.create_task(ask_for_ever(command))
        for _ in range(moments.randrange(_MOST_TURNS)):
            await asyncio.sleep(0)
        task.cancel()
        _, on = await asyncio.wait([task], timeout=30)
        task.cancel()
        assert not on
        assert task.cancelled()


@pytest.mark.parametrize("command", [ask, ask_in_a_pipeline])
async def test_a_loop_that_asks_ends_when_it_is_cancelled(
    valkey_url: str, command: Callable[[Redis], Awaitable[None]]
) -> None:
    async with Redis.from_pool(RolePool.of(valkey_url)) as redis:
        await cancel_at_any_moment(lambda: command(redis))


async def test_a_loop_that_asks_sentinels_ends_when_it_is_cancelled(valkey_url: str) -> None:
    """A server that is no sentinel answers as well, that it knows no such command."""
    address = valkey_url.removeprefix("redis://").partition("/")[0]
    sentinels = Sentinels(RedisAddress.of(f"redis+sentinel://{address}/primary"))

    async def ask_sentinels() -> None:
        with suppress(PrimaryUnknown):
            await sentinels.get_master_address()

    try:
        await cancel_at_any_moment(ask_sentinels)
    finally:
        await sentinels.aclose()
