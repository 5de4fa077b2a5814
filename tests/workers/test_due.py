"""Steps that are to run later are sent when it is time, once, by whichever worker looks then."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.queue import TaskQueue
from gateway.stack.part import Part
from gateway.stack.ports import free_port
from gateway.stack.valkey import Valkey
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from workers.due import Due


@pytest.fixture
async def redis(own_redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(own_redis_url) as client:
        yield client


@pytest.fixture
def due(own_redis_url: str, redis: Redis) -> Iterator[Due]:
    """With a broker that no worker listens to."""
    with closing(TaskQueue(own_redis_url, {})) as queue:
        yield Due(redis, queue)


async def waiting(redis: Redis) -> dict[str, int]:
    """How many messages are in each queue that has some."""
    lengths = {step.value: await redis.llen(step) for step in Step}
    return {step: length for step, length in lengths.items() if length}


async def test_nothing_is_sent_before_its_time(due: Due, redis: Redis) -> None:
    await due.add(Step.RESUME, "a", 3600)
    await due.add(Step.REGISTER, "b", 0)
    assert await due.send() == 1
    assert await due.send() == 0
    due._queue.close(60)
    assert await waiting(redis) == {Step.REGISTER: 1}
    assert await redis.zrange(keys.DUE, 0, -1) == [b"uploads.resume:a"]
    now, at = (await redis.time())[0], await redis.zscore(keys.DUE, "uploads.resume:a")
    assert at is not None
    assert 3500 < at - int(now) <= 3602


async def test_a_step_that_is_scheduled_several_times_runs_once_at_the_earliest_time(
    due: Due, redis: Redis
) -> None:
    for delay in (3600, 0, 1800):
        await due.add(Step.RESUME, "a", delay)
    assert await due.send() == 1
    assert await redis.zcard(keys.DUE) == 0


async def test_two_workers_share_the_due_steps(due: Due, redis: Redis) -> None:
    ids = [f"id-{number}" for number in range(1200)]
    for upload_id in ids:
        await due.add(Step.RESUME, upload_id, 0)
    watching = [asyncio.create_task(due.watch()) for _ in range(2)]
    while await redis.zcard(keys.DUE):
        await asyncio.sleep(0.05)
    due._queue.close(60)
    for task in watching:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert await waiting(redis) == {Step.RESUME: len(ids)}


async def test_without_redis_the_process_that_asks_remembers(
    tmp_path: Path, own_redis_url: str, redis: Redis
) -> None:
    """The broker is another one, which is there."""
    server = Valkey(tmp_path / "valkey", free_port())
    queue = TaskQueue(own_redis_url, {})
    async with Redis.from_url(server.url) as away:
        due = Due(away, queue)
        await due.add(Step.RESUME, "a", 2.0)
        assert await waiting(redis) == {}
        while not await waiting(redis):
            await asyncio.sleep(0.05)
        watching = asyncio.create_task(due.watch())
        with Part(server.command(), tmp_path):  # which it outlives, and sees again
            await due.add(Step.REGISTER, "b", 0)
            while not (await waiting(redis)).get(Step.REGISTER):
                await asyncio.sleep(0.05)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    queue.close(60)
