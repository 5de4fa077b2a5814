"""Marks of what is being received: kept while it is, and believed only where Redis knows all."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.uploads import keys, presence
from gateway.uploads.presence import Presence, is_gone, is_present, knows_all


@pytest.fixture(autouse=True)
def _short_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "BEAT_SECONDS", 0.05)


@pytest.fixture
async def redis(own_redis_url: str) -> AsyncIterator[Redis]:
    """A database of its own: other processes keep marks in theirs."""
    async with Redis.from_url(own_redis_url) as client:
        yield client


async def until_present(redis: Redis, upload_id: str) -> None:
    async with asyncio.timeout(10):
        while not await is_present(redis, upload_id):
            await asyncio.sleep(0.01)


async def test_who_may_be_looked_for_is_present_at_once_and_gone_after(redis: Redis) -> None:
    async with Presence(redis).of("a", at_once=True):
        assert await is_present(redis, "a")
    assert not await is_present(redis, "a")


async def test_the_others_are_present_with_the_next_beat_and_after_a_wipe(redis: Redis) -> None:
    process = Presence(redis)
    beating = asyncio.create_task(process.beat())
    async with process.of("a"):
        await until_present(redis, "a")
        await redis.flushdb()
        assert not await is_gone(redis, "a")
    beating.cancel()


async def test_nobody_is_gone_at_once_where_redis_has_just_begun(redis: Redis) -> None:
    process = Presence(redis)
    async with process.of("a", at_once=True):
        assert not await knows_all(redis)
        seconds, _ = await redis.time()
        await redis.set(keys.PRESENT_SINCE, seconds - 60)
        assert await knows_all(redis)
        assert await is_gone(redis, "b")


async def test_without_redis_nobody_can_tell_and_uploads_go_on() -> None:
    async with (
        Redis.from_url("redis://127.0.0.1:1/0") as nowhere,
        Presence(nowhere).of("a", at_once=True),
    ):
        with pytest.raises(RedisError):
            await is_gone(nowhere, "a")
