"""Who asks Redis can be cancelled at any moment, and ends then."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

import pytest
from redis.asyncio import Redis

from gateway.redis.pool import RolePool

_TASKS: Final = 100
_MOST_TURNS: Final = 60
"""Turns of the loop before a task is cancelled; a command takes some five."""


async def ask(redis: Redis) -> None:
    await redis.get("cancelling")


async def ask_in_a_pipeline(redis: Redis) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.get("cancelling")
        await pipeline.execute()


@pytest.mark.parametrize("command", [ask, ask_in_a_pipeline])
async def test_a_loop_that_asks_ends_when_it_is_cancelled(
    valkey_url: str, command: Callable[[Redis], Awaitable[None]]
) -> None:
    moments = random.Random(7)
    async with Redis.from_pool(RolePool.of(valkey_url)) as redis:

        async def ask_for_ever() -> None:
            while True:
                await command(redis)

        for _ in range(_TASKS):
            await command(redis)  # connected: the standard library drops sockets in mid-connect
            task = asyncio.create_task(ask_for_ever())
            for _ in range(moments.randrange(_MOST_TURNS)):
                await asyncio.sleep(0)
            task.cancel()
            _, on = await asyncio.wait([task], timeout=30)
            task.cancel()
            assert not on
            assert task.cancelled()
