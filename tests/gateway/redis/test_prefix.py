"""Two that share a database of Redis, each behind a prefix of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing

import pytest
from redis.asyncio import Redis
from redis.exceptions import WatchError

from gateway.brokers.options import BrokerOptions
from gateway.queue import QUEUES, TaskQueue
from gateway.records.completion_events import CompletionEvents, announce
from gateway.redis.client import PrefixedRedis, open_client
from gateway.redis.script_pipe import ScriptPipe
from gateway.uploads import keys
from tests.flows.client import PATIENCE

ONE, OTHER = "one:", "other:of:it:"


@pytest.fixture
async def redis(own_redis_url: str) -> AsyncIterator[Redis]:
    """As an administrator sees it."""
    async with Redis.from_url(own_redis_url) as client:
        yield client


@pytest.fixture
async def both(own_redis_url: str) -> AsyncIterator[tuple[Redis, Redis]]:
    async with open_client(own_redis_url, ONE) as one, open_client(own_redis_url, OTHER) as other:
        yield one, other


async def names(redis: Redis) -> set[str]:
    found: list[bytes] = await redis.keys()  # type: ignore[assignment] # its stub
    return {name.decode() for name in found}


async def test_each_has_keys_of_its_own(redis: Redis, both: tuple[Redis, Redis]) -> None:
    for number, client in enumerate(both):
        await client.set("a", number)
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.zadd("z", {"member": number})
            pipeline.incr("a")
            await pipeline.execute()
        await client.eval("return redis.call('SET', KEYS[2], KEYS[1])", 2, "a", "of-script")
        assert await client.get("of-script") == f"{(ONE, OTHER)[number]}a".encode()
    assert await names(redis) == {
        f"{p}{key}" for p in (ONE, OTHER) for key in ("a", "z", "of-script")
    }
    assert [await client.get("a") for client in both] == [b"1", b"2"]
    assert await both[0].delete("a", "z", "of-script") == 3
    assert [await client.exists("a", "z") for client in both] == [0, 2]


async def test_each_has_transactions_and_locks_of_its_own(both: tuple[Redis, Redis]) -> None:
    one, other = both
    async with one.pipeline() as pipeline:
        await pipeline.watch("watched")
        await other.set("watched", 1)
        pipeline.multi()
        pipeline.set("watched", 2)
        assert await pipeline.execute() == [True]
        await pipeline.watch("watched")
        await one.set("watched", 3)
        pipeline.multi()
        pipeline.set("watched", 4)
        with pytest.raises(WatchError):
            await pipeline.execute()
    async with one.lock("lock", timeout=9), other.lock("lock", timeout=9, blocking_timeout=0):
        assert not await one.lock("lock", timeout=9).acquire(blocking=False)


async def test_each_hears_its_own_notices(both: tuple[Redis, Redis]) -> None:
    async with AsyncExitStack() as stack:
        heard = []
        for client in both:
            notices = CompletionEvents(client)
            listening = asyncio.create_task(notices.listen())
            stack.callback(listening.cancel)
            heard.append(await stack.enter_async_context(notices.watch("id")))
        async with asyncio.timeout(PATIENCE):
            while not heard[1].is_set():
                await announce(both[1], "id")
                await asyncio.sleep(0.02)
            assert not heard[0].is_set()
            while not heard[0].is_set():
                await announce(both[0], "id")
                await asyncio.sleep(0.02)


async def test_a_script_on_a_connection_of_its_own_has_the_prefix(
    both: tuple[Redis, Redis],
) -> None:
    heard: asyncio.Queue[object] = asyncio.Queue()
    for client, prefix in zip(both, (ONE, OTHER), strict=True):
        with closing(await ScriptPipe.open(client, "return KEYS")) as pipe:
            pipe.call(["a", "b"], [1], lambda told, error: heard.put_nowait(error or told))
            assert await heard.get() == [f"{prefix}a".encode(), f"{prefix}b".encode()]


async def test_redis_command_with_unknown_keys_is_not_sent(both: tuple[Redis, Redis]) -> None:
    assert isinstance(both[0], PrefixedRedis)
    with pytest.raises(NotImplementedError, match="GETDEL"):
        await both[0].getdel("a")
    async with both[0].pipeline() as pipeline:
        with pytest.raises(NotImplementedError, match="SORT"):
            pipeline.sort("a")


@pytest.fixture
def queues(own_redis_url: str) -> Iterator[tuple[TaskQueue, TaskQueue]]:
    one, other = BrokerOptions(redis_prefix=ONE), BrokerOptions(redis_prefix=OTHER)
    opened = TaskQueue(own_redis_url, {}, one), TaskQueue(own_redis_url, {}, other)
    yield opened
    for queue in opened:
        queue.close()


async def test_each_has_queues_of_its_own(
    redis: Redis, queues: tuple[TaskQueue, TaskQueue]
) -> None:
    one, other = queues
    one.send(QUEUES[0], "id")
    async with asyncio.timeout(PATIENCE):
        while not await redis.llen(f"{ONE}{QUEUES[0]}"):
            await asyncio.sleep(0.02)
    assert (await asyncio.to_thread(one.depth), await asyncio.to_thread(other.depth)) == (1, 0)
    for queue in queues:
        await asyncio.to_thread(queue.check)
        await asyncio.to_thread(queue.probe)
    assert {name for name in await names(redis) if not name.startswith((ONE, OTHER))} == set()
    assert keys.RELAYED_SET not in await names(redis)
