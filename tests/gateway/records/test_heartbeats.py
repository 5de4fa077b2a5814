"""Marks of uploads being received: renewed meanwhile, and trusted only if Redis knows all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.records import heartbeats
from gateway.records.heartbeats import (
    Heartbeats,
    is_gone,
    is_present,
    knows_all,
    present_in_bucket,
    was_present,
)
from gateway.stack.valkey import Valkey
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.ids import new_id


@pytest.fixture(autouse=True)
def _short_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 0.05)


@pytest.fixture
async def redis(own_redis_url: str) -> AsyncIterator[Redis]:
    """A database of its own: other processes keep marks in theirs."""
    async with Redis.from_url(own_redis_url) as client:
        yield client


async def until_present(redis: Redis, upload_id: str) -> None:
    async with asyncio.timeout(10):
        while not await is_present(redis, upload_id):
            await asyncio.sleep(0.01)


async def test_upload_is_present_at_once_and_gone_at_its_end(redis: Redis, store: S3Store) -> None:
    async with Heartbeats(redis, store).of("a", at_once=True):
        assert await is_present(redis, "a")
    assert not await is_present(redis, "a")
    assert not await was_present(redis, "a")


async def test_the_others_are_present_with_the_next_beat_and_after_a_wipe(
    redis: Redis, store: S3Store
) -> None:
    process = Heartbeats(redis, store)
    beating = asyncio.create_task(process.beat())
    async with process.of("a"):
        await until_present(redis, "a")
        await redis.flushdb()
        assert not await is_gone(redis, store, "a")
    async with asyncio.timeout(10):
        while await was_present(redis, "a"):
            await asyncio.sleep(0.01)
    beating.cancel()


async def test_suspended_process_loses_its_key_before_its_upload_is_abandoned(
    redis: Redis, store: S3Store
) -> None:
    async with Heartbeats(redis, store).of("a", at_once=True):
        await redis.expire(keys.presence("a"), heartbeats.REMEMBERED_SECONDS - 15)
        assert not await is_present(redis, "a")
        assert await was_present(redis, "a")


@pytest.fixture
async def refusing(module_valkey: Valkey) -> AsyncIterator[Redis]:
    """A Redis that answers, and takes no writes."""
    async with Redis.from_url(module_valkey.url) as client:
        await client.config_set("min-replicas-to-write", 1)
        yield client
        await client.config_set("min-replicas-to-write", 0)


async def test_a_process_writes_to_the_bucket_if_redis_refuses_its_marks(
    redis: Redis, refusing: Redis, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeats, "_GRACE_SECONDS", 0.0)
    await redis.set(keys.PRESENT_SINCE, 0)  # the others' Redis, which has known all for long
    process, upload_id = Heartbeats(refusing, store), new_id()
    beating = asyncio.create_task(process.beat())
    async with process.of(upload_id), asyncio.timeout(30):
        while upload_id not in await present_in_bucket(store):
            await asyncio.sleep(0.01)
        assert not await is_gone(redis, store, upload_id)
        await refusing.config_set("min-replicas-to-write", 0)
        await until_present(refusing, upload_id)
        while upload_id in await present_in_bucket(store):
            await asyncio.sleep(0.01)
    beating.cancel()


async def test_upload_is_announced_in_the_bucket_if_redis_refuses(
    refusing: Redis, store: S3Store
) -> None:
    process = Heartbeats(refusing, store)
    ids = {new_id() for _ in range(3)}
    async with AsyncExitStack() as uploads:
        for upload_id in ids:
            await uploads.enter_async_context(process.of(upload_id, at_once=True))
        assert await present_in_bucket(store) >= ids


async def test_the_bucket_is_not_asked_if_redis_accepts_the_marks(redis: Redis) -> None:
    nowhere = cast(S3Store, None)
    process = Heartbeats(redis, nowhere)
    beating = asyncio.create_task(process.beat())
    async with process.of("a"), process.of("b", at_once=True):
        await until_present(redis, "a")
    assert not beating.done()
    beating.cancel()


async def test_no_process_counts_as_gone_just_after_redis_started(
    redis: Redis, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 30.0)
    process = Heartbeats(redis, store)
    async with process.of("a", at_once=True):
        assert not await knows_all(redis)
        seconds, _ = await redis.time()
        await redis.set(keys.PRESENT_SINCE, seconds - 60)
        assert await knows_all(redis)
        assert await is_gone(redis, store, "b")


async def test_uploads_continue_without_redis_though_presence_is_unknown(store: S3Store) -> None:
    async with (
        Redis.from_url("redis://127.0.0.1:1/0") as nowhere,
        Heartbeats(nowhere, store).of("a", at_once=True),
    ):
        with pytest.raises(RedisError):
            await is_gone(nowhere, store, "a")
