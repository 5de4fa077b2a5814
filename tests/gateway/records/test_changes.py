"""Notices of a subject's uploads, by a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from gateway import cancellation
from gateway.records.changes import Changes, Watching
from gateway.redis.client import open_client
from gateway.uploads.keys import of_subject

PATIENCE = 30.0


@asynccontextmanager
async def listening(url: str, prefix: str = "") -> AsyncIterator[tuple[Changes, Redis]]:
    async with open_client(url, prefix) as redis:
        changes = Changes(redis)
        task = asyncio.create_task(changes.listen())
        try:
            yield changes, redis
        finally:
            await cancellation.end(task)


async def heard(changes: Changes, watching: Watching, subject: str) -> None:
    """Wait until the subscription is confirmed."""
    async with asyncio.timeout(PATIENCE):
        assert await watching.wait(PATIENCE) == set()
    assert changes.hears_of(subject)


@pytest.mark.parametrize("prefix", ["", "chat:kitty:"])
async def test_a_request_hears_of_its_upload_or_of_all(own_redis_url: str, prefix: str) -> None:
    async with listening(own_redis_url, prefix) as (changes, redis):
        with (
            changes.watch("alice", "one") as one,
            changes.watch("alice") as every,
            changes.watch("bob") as of_another,
        ):
            await heard(changes, one, "alice")
            await heard(changes, every, "alice")
            await heard(changes, of_another, "bob")
            for upload_id in ("two", "one"):
                await redis.publish(of_subject("alice"), upload_id)
            assert await one.wait(PATIENCE) == {"one"}
            told: set[str] = set()
            async with asyncio.timeout(PATIENCE):
                while told != {"one", "two"}:
                    told |= await every.wait(PATIENCE) or set()
            await redis.publish(of_subject("bob"), "three")
            assert await of_another.wait(PATIENCE) == {"three"}


async def test_a_later_request_is_told_to_look_once_it_would_hear(own_redis_url: str) -> None:
    async with listening(own_redis_url) as (changes, redis):
        with changes.watch("alice") as first:
            await heard(changes, first, "alice")
            with changes.watch("bob") as second:
                await heard(changes, second, "bob")
        assert changes.hears_of("alice")  # for the next request of the same client
        with changes.watch("alice", "one") as again:
            await redis.publish(of_subject("alice"), "one")
            assert await again.wait(PATIENCE) == {"one"}


async def test_all_that_wait_are_woken(own_redis_url: str) -> None:
    async with listening(own_redis_url) as (changes, _):
        with changes.watch("alice", "one") as one, changes.watch("bob") as every:
            changes.wake_all()
            assert await one.wait(PATIENCE) == set()
            assert await every.wait(PATIENCE) == set()


async def test_without_redis_nothing_is_heard() -> None:
    async with listening("redis://127.0.0.1:9/0") as (changes, _):
        with changes.watch("alice") as watching:
            assert await watching.wait(0.01) is None
            assert not changes.hears_of("alice")
