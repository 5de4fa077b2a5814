"""A client that has asked the wrong server asks once more, on a new connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from chaos.servers.failover import Address
from gateway.choices import Delivery
from gateway.errors import QueueUnavailable
from gateway.queue import TaskQueue
from gateway.records.completion_events import CompletionEvents, announce
from gateway.records.relay_batch import RelayedRecords
from gateway.redis.pool import RolePool
from gateway.stack.valkey import Valkey
from gateway.uploads.record import Upload
from tests.gateway.redis.test_replies import REFUSED, WRONG
from tests.workers.test_sweep import stored_upload

PATIENCE = 30.0
WRONG_BY_CODE = list({reply.split()[0]: reply for reply in reversed(WRONG)}.values())


@pytest.fixture
async def address(valkey: Valkey) -> AsyncIterator[Address]:
    async with Address.of(valkey) as opened:
        yield opened


@pytest.fixture
async def redis(address: Address) -> AsyncIterator[Redis]:
    async with Redis.from_pool(RolePool.of(address.url)) as client:
        yield client


async def write(redis: Redis) -> None:
    await redis.set("wrong-server", b"", ex=1)


async def write_many(redis: Redis) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.set("wrong-server", b"", ex=1)
        pipeline.expire("wrong-server", 1)
        await pipeline.execute()


async def write_at_once(redis: Redis) -> None:
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.set("wrong-server", b"", ex=1)
        pipeline.expire("wrong-server", 1)
        await pipeline.execute()


async def lock(redis: Redis) -> None:
    async with redis.lock("wrong-server:lock", timeout=5):
        pass


WAYS: list[Callable[[Redis], Awaitable[None]]] = [write, write_many, write_at_once, lock]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("reply", WRONG_BY_CODE)
async def test_what_a_wrong_server_was_asked_is_asked_again(
    address: Address, redis: Redis, reply: str, way: Callable[[Redis], Awaitable[None]]
) -> None:
    await way(redis)
    address.deny(reply)
    await way(redis)
    assert address.denied


async def test_one_answer_of_a_wrong_server_ends_all_connections_to_it(
    address: Address, redis: Redis
) -> None:
    async with asyncio.timeout(PATIENCE):
        while address.made < 5:
            await asyncio.gather(*(write(redis) for _ in range(20)))
    address.deny(WRONG[0])
    await write(redis)
    assert address.denied == 1
    await asyncio.gather(*(redis.get("wrong-server") for _ in range(20)))
    assert address.denied == 1


@pytest.mark.parametrize("way", [write, write_many, write_at_once])
@pytest.mark.parametrize("reply", REFUSED)
async def test_a_refused_write_costs_no_connection(
    address: Address, redis: Redis, reply: str, way: Callable[[Redis], Awaitable[None]]
) -> None:
    await way(redis)
    address.deny(reply)
    with pytest.raises(ResponseError):
        await way(redis)
    assert address.made == 1


async def test_notice_listener_follows_a_failover(address: Address, redis: Redis) -> None:
    notices = CompletionEvents(redis)
    listening = asyncio.create_task(notices.listen())
    try:
        async with notices.watch("a") as ended, asyncio.timeout(PATIENCE):
            while not ended.is_set():
                await announce(redis, "a")
                await asyncio.sleep(0.01)
            ended.clear()
            made = address.made
            address.deny(WRONG[0])
            await write(redis)
            while address.made < made + 2:  # that of the write, and a subscription
                await asyncio.sleep(0.05)
            while not ended.is_set():
                await announce(redis, "a")
                await asyncio.sleep(0.01)
    finally:
        listening.cancel()


async def fail(_: Upload) -> None:
    raise AssertionError("Redis was there")


async def keep(records: RelayedRecords) -> None:
    done = asyncio.get_running_loop().create_future()
    records.keep(stored_upload(Delivery.RELAY), 1, done.set_result)
    assert await done is None


@pytest.mark.parametrize("reply", WRONG)
async def test_a_relays_record_that_a_wrong_server_does_not_take_goes_to_the_right_one(
    address: Address, redis: Redis, reply: str
) -> None:
    with closing(RelayedRecords(redis, 60, fail)) as records:
        await keep(records)
        address.deny(reply)
        await keep(records)
        assert address.denied == 1


@pytest.mark.parametrize("reply", REFUSED)
async def test_a_relays_record_that_redis_refuses_goes_elsewhere_and_costs_no_connection(
    address: Address, redis: Redis, reply: str
) -> None:
    elsewhere: list[Upload] = []

    async def take(upload: Upload) -> None:
        elsewhere.append(upload)

    with closing(RelayedRecords(redis, 60, take)) as records:
        await keep(records)
        made = address.made
        address.deny(reply)
        await keep(records)
        await keep(records)
        assert len(elsewhere) == 2
        assert address.made == made


@pytest.mark.parametrize("reply", WRONG_BY_CODE)
async def test_a_task_that_a_wrong_server_does_not_take_is_sent_to_the_right_one(
    address: Address, reply: str
) -> None:
    queue = TaskQueue(address.url, {})
    await asyncio.to_thread(queue.check)
    address.deny(reply)
    await asyncio.to_thread(queue.check)
    assert address.denied
    await asyncio.to_thread(queue.close)


@pytest.mark.parametrize("reply", REFUSED)
async def test_a_broker_that_refuses_writes_is_not_there(address: Address, reply: str) -> None:
    queue = TaskQueue(address.url, {})
    await asyncio.to_thread(queue.check)
    address.deny(reply)
    with pytest.raises(QueueUnavailable):
        await asyncio.to_thread(queue.check)
    await asyncio.to_thread(queue.close)
