"""Records of relayed uploads share their trips to Redis, and each knows of its own."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.settings import Delivery
from gateway.stack.valkey import Valkey
from gateway.uploads import keys
from gateway.uploads.record import Upload, from_json
from gateway.uploads.relayed import RelayedRecords
from tests.workers.test_sweeper import stored_upload


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey.url) as client:
        yield client


def uploads(count: int) -> list[Upload]:
    return [stored_upload(Delivery.RELAY) for _ in range(count)]


async def trips(redis: Redis) -> int:
    stats = await redis.info("commandstats")
    return int(stats.get("cmdstat_evalsha", {}).get("calls", 0))


async def test_uploads_of_one_moment_share_a_trip(redis: Redis) -> None:
    records = RelayedRecords(redis, 60)
    await records.keep(uploads(1)[0])  # loads the script
    before = await trips(redis)
    many = uploads(150)
    await asyncio.gather(*(records.keep(upload) for upload in many))
    assert await trips(redis) - before == 2
    for upload in many:
        document = cast(bytes, await redis.get(keys.relayed(upload.id)))
        assert from_json(document) == upload
        assert await redis.zscore(keys.RELAYED_SET, upload.id) == upload.since.timestamp()
        assert await redis.zscore(keys.of_subject("alice"), upload.id) == 0
        assert 0 < await redis.ttl(keys.relayed(upload.id)) <= 60


async def test_a_record_that_comes_later_is_kept_too(redis: Redis) -> None:
    records = RelayedRecords(redis, 60)
    for upload in uploads(3):
        await records.keep(upload)
        assert await redis.exists(keys.relayed(upload.id))


async def test_all_who_wait_are_told_that_redis_is_away() -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        records = RelayedRecords(nowhere, 60)
        kept = await asyncio.gather(
            *(records.keep(upload) for upload in uploads(3)), return_exceptions=True
        )
        assert all(isinstance(error, RedisError) for error in kept)


async def test_one_who_stops_waiting_stops_nobody_else(redis: Redis) -> None:
    records = RelayedRecords(redis, 60)
    first, second = uploads(2)
    waiting = asyncio.create_task(records.keep(first))
    other = asyncio.create_task(records.keep(second))
    await asyncio.sleep(0)
    waiting.cancel()
    await other
    assert await redis.exists(keys.relayed(second.id))
