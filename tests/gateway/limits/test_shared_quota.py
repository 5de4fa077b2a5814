"""Processes that count together in a real Redis, and each for itself while it is down."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import structlog
from redis.asyncio import Redis

from gateway.errors import QuotaExceeded
from gateway.limits import shared_quota as module
from gateway.limits.quota import Demand, Policy
from gateway.limits.shared_quota import Quotas, Ticket
from gateway.server.services import at_work
from gateway.stack.part import Part
from gateway.stack.ports import free_port
from gateway.stack.valkey import Valkey
from gateway.uploads import keys
from tests.servers.databases import script_trips

PATIENCE = 20.0
REQUEST = Demand(0)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.05)


@pytest.fixture
async def redis(own_redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(own_redis_url) as client:
        yield client


@asynccontextmanager
async def process(redis: Redis, policy: Policy) -> AsyncIterator[Quotas]:
    """One gateway's part of it."""
    opened = Quotas(redis, policy)
    async with at_work(opened.keep):
        yield opened


async def admitted(quotas: Quotas, demand: Demand = REQUEST, subject: str = "alice") -> bool:
    try:
        await quotas.take(subject, demand)
    except QuotaExceeded:
        return False
    return True


async def eventually(quotas: Quotas, demand: Demand) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await admitted(quotas, demand):
            await asyncio.sleep(0.05)


async def test_two_processes_admit_as_much_as_one_would(redis: Redis) -> None:
    policy = Policy(requests=10)
    async with process(redis, policy) as one, process(redis, policy) as other:
        found = await asyncio.gather(*(admitted(each) for _ in range(20) for each in (one, other)))
        assert sum(found) == 10
        assert await admitted(other, subject="bob")


async def test_a_request_is_one_round_trip(
    module_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", PATIENCE)  # holding on to places is a trip, too
    async with (
        Redis.from_url(module_valkey.url) as redis,
        process(redis, Policy(requests=10, bytes=10, uploads=10)) as quotas,
    ):
        await quotas.take("alice", REQUEST)
        before = await script_trips(redis)
        await quotas.take("alice", Demand(5, "upload"))
        assert await script_trips(redis) - before == 1


async def test_a_place_is_kept_as_long_as_the_upload_lasts(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE_SECONDS", 3)
    policy = Policy(uploads=1)
    async with process(redis, policy) as one, process(redis, policy) as other:
        ticket = await one.take("alice", Demand(5, "first"))
        uploads = keys.quota("alice")[2]
        first = await redis.zscore(uploads, "first")
        assert first is not None
        async with asyncio.timeout(PATIENCE):
            while (await redis.zscore(uploads, "first") or 0) <= first + 3000:
                assert not await admitted(other, Demand(5, "second"))
                await asyncio.sleep(0.05)
        ticket.end(5)
        await eventually(other, Demand(5, "second"))


async def test_cancelled_waiter_holds_no_place(redis: Redis) -> None:
    async with process(redis, Policy(uploads=1)) as quotas:
        await quotas.take("alice", REQUEST)  # connected
        for give_up_at_once in (True, False):
            waiting = asyncio.create_task(quotas.take("alice", Demand(5, "gone")))
            await asyncio.sleep(0)
            if not give_up_at_once:
                while not _is_answered(waiting):
                    await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await eventually(quotas, Demand(5, "next"))


def _is_answered(waiting: asyncio.Task[Ticket]) -> bool:
    """Whether what the task waits for is there, and the task does not know it yet."""
    awaited = getattr(waiting, "_fut_waiter", None)
    return awaited is None or awaited.done()


async def test_without_redis_each_process_has_the_same_limits(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path / "valkey", free_port())
    policy = Policy(requests=5, uploads=2)
    async with AsyncExitStack() as stack:
        server = Part(valkey.command(), tmp_path).wait_ready()
        redis = await stack.enter_async_context(Redis.from_url(valkey.url))
        one = await stack.enter_async_context(process(redis, policy))
        other = await stack.enter_async_context(process(redis, policy))
        ticket = await one.take("alice", Demand(5, "before"))
        uploads = keys.quota("alice")[2]
        first = await redis.zscore(uploads, "before")
        assert first is not None
        server.kill()
        with structlog.testing.capture_logs() as logs:
            for quotas in (one, other):
                found = [await admitted(quotas) for _ in range(8)]
                assert found == [True] * 5 + [False] * 3
            assert await admitted(one, Demand(5, "beside"), subject="bob")
            await asyncio.sleep(0.3)  # several attempts to connect
        gone = [log for log in logs if log["event"] == "quota.redis_unavailable"]
        assert len(gone) == 2  # once for each of them
        server = Part(valkey.command(), tmp_path).wait_ready()
        stack.callback(server.kill)
        await redis.connection_pool.disconnect()  # from the one that was killed
        async with asyncio.timeout(PATIENCE):
            # The process of the upload that is still under way is connected, and keeps its place.
            while (await redis.zscore(uploads, "before") or 0) <= first:
                await asyncio.sleep(0.05)
        await eventually(other, REQUEST)  # what Redis counts is new
        assert await admitted(other, Demand(5, "second"))
        assert not await admitted(other, Demand(5, "third"))
        ticket.end(5)
        await eventually(other, Demand(5, "third"))


async def test_a_redis_that_was_never_there_is_no_reason_to_let_all_in() -> None:
    async with process(Redis.from_url("redis://127.0.0.1:1/0"), Policy(requests=1)) as quotas:
        assert await admitted(quotas)
        assert not await admitted(quotas)


async def test_keys_expire_and_contain_no_names(redis: Redis) -> None:
    async with process(redis, Policy(requests=5, bytes=100, uploads=2)) as quotas:
        (await quotas.take("alice", Demand(5, "id"))).end(7)
        await quotas.take("alice", Demand(5, "id"))
        names: list[bytes] = await redis.keys("*")  # type: ignore[assignment] # its stub
        assert len(names) == 3
        for name in names:
            assert re.fullmatch("quota:[0-9a-f]{64}:(requests|bytes|uploads)", name.decode())
            assert 0 < await redis.pttl(name) <= 61_200
