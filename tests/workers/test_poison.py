"""Steps that come to no orderly end are counted, and their upload ends as a dead letter."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from gateway.backends import open_backends
from gateway.choices import Delivery
from gateway.errors import StoreUnavailable
from gateway.records.removals import Order, Removals
from gateway.settings import load
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Cause, State
from tests.workers.test_sweep import stored_upload
from workers.due import Due
from workers.runtime import WorkerServices
from workers.sniff import Sniffer
from workers.steps import poison
from workers.steps.audit import audit
from workers.steps.removal import remove
from workers.steps.resumption import resume

pytestmark = pytest.mark.slow


@pytest.fixture
async def services(environ: dict[str, str], own_redis_url: str) -> AsyncIterator[WorkerServices]:
    """With a broker that no worker listens to."""
    settings = load({**environ, "GATEWAY_REDIS_URL": own_redis_url})
    async with open_backends(settings) as backends, Sniffer.open() as sniffer:
        yield WorkerServices(backends, sniffer, Due(backends.redis, backends.queue))


async def raises(upload_id: str, _: WorkerServices) -> None:
    raise ZeroDivisionError(upload_id)


async def succeeds(_: str, __: WorkerServices) -> None:
    return


async def tries(services: WorkerServices, upload_id: str) -> int:
    return int(await services.backends.redis.get(keys.tries(upload_id)) or 0)


async def test_an_upload_that_repeatedly_fails_its_worker_becomes_a_dead_letter(
    services: WorkerServices,
) -> None:
    upload = stored_upload()
    ledger = services.backends.ledger
    await ledger.accept(upload)
    for _ in range(poison.MOST_TRIES):
        await poison.one(Step.INSPECT, upload.id, raises)(services)
        assert await ledger.find(upload.id) == upload
    await poison.one(Step.INSPECT, upload.id, raises)(services)
    ended = await ledger.find(upload.id)
    assert ended.state is State.FAILED
    assert ended.fault is not None
    assert ended.fault.slug == "dead-letter"


async def test_an_unreadable_record_is_set_aside(services: WorkerServices) -> None:
    upload_id = new_id()
    store = services.backends.store
    await store.put(keys.pending(upload_id), b"{not a record")
    for _ in range(poison.MOST_TRIES + 1):
        await poison.one(Step.RESUME, upload_id, resume)(services)
    assert await services.backends.ledger.open(upload_id) is None
    assert (await store.get(keys.dead(upload_id))).content == b"{not a record"


async def test_an_unreadable_record_in_redis_is_set_aside(
    services: WorkerServices,
) -> None:
    upload_id = new_id()
    redis = services.backends.redis
    await redis.set(keys.relayed(upload_id), b"no record")
    await redis.zadd(keys.RELAYED_SET, {upload_id: 0})
    for _ in range(poison.MOST_TRIES + 1):
        await poison.one(Step.AUDIT, upload_id, audit)(services)
    assert await services.backends.ledger.open(upload_id) is None
    assert await redis.zscore(keys.RELAYED_SET, upload_id) is None
    dead = await services.backends.store.get(keys.dead(upload_id))
    assert dead.content == b"no record"


async def test_an_unreadable_order_is_set_aside(services: WorkerServices) -> None:
    order_id = new_id()
    store = services.backends.store
    await store.put(keys.dead(order_id), b"{not its upload's record")
    await store.put(keys.removal(order_id), b"{no order")
    for _ in range(poison.MOST_TRIES):
        await poison.one(Step.REMOVE, order_id, remove)(services)
        assert (await store.get(keys.removal(order_id))).content == b"{no order"
    await poison.one(Step.REMOVE, order_id, remove)(services)
    assert order_id not in [each.id async for each in Removals(store).all()]
    dead = [(await store.get(info.key)).content async for info in store.list(keys.DEAD)]
    assert {b"{not its upload's record", b"{no order"} <= set(dead)


async def test_an_order_that_can_be_read_is_carried_out_however_often_it_failed(
    services: WorkerServices,
) -> None:
    order = Order(upload_id=new_id(), cause=Cause.MESSAGE)
    order_id = await Removals(services.backends.store).place(order)
    for _ in range(poison.MOST_TRIES + 1):
        await poison.one(Step.REMOVE, order_id, raises)(services)
    await poison.one(Step.REMOVE, order_id, remove)(services)
    assert await Removals(services.backends.store).open(order_id) is None


async def test_a_purge_removes_the_file_whose_record_is_gone(services: WorkerServices) -> None:
    upload_id, store = new_id(), services.backends.store
    left = (keys.incoming(upload_id), keys.spare(upload_id), keys.dead(upload_id))
    for key in left:
        await store.put(key, b"of somebody")
    subject = "purged"
    await services.backends.redis.zadd(keys.of_subject(subject), {upload_id: 1})
    for cause, stays in ((Cause.RETENTION, left), (Cause.OPERATOR, ())):
        order = Order(upload_id=upload_id, cause=cause, subject=subject)
        await remove(await Removals(store).place(order), services)
        there = [info.key for key in left async for info in store.list(key)]
        assert there == list(stays)
    assert not await services.backends.redis.exists(keys.of_subject(subject))


async def test_orderly_ends_and_unavailable_parts_are_not_counted(
    services: WorkerServices,
) -> None:
    async def away(_: str, __: WorkerServices) -> None:
        raise StoreUnavailable("away")

    await poison.one(Step.RESUME, "a", raises)(services)
    await poison.one(Step.RESUME, "a", succeeds)(services)
    assert await tries(services, "a") == 1  # which may have been a step with nothing to do
    await poison.one(Step.RESUME, "c", succeeds)(services)
    assert not await services.backends.redis.exists(keys.tries("c"))
    await poison.one(Step.RESUME, "b", away)(services)
    assert await tries(services, "b") == 0


async def test_a_step_that_failed_is_tried_again(services: WorkerServices) -> None:
    await poison.one(Step.RESUME, "a", raises)(services)
    assert await services.backends.redis.zrange(keys.DUE, 0, -1) == [b"uploads.resume:a"]


@pytest.mark.parametrize(
    ("step", "again"),
    [
        (Step.INSPECT, Step.RESUME),
        (Step.AUDIT, Step.RESUME),
        (Step.NOTIFY, Step.NOTIFY),  # a task that is gathered, too
    ],
)
async def test_of_many_that_die_together_each_is_tried_by_itself(
    services: WorkerServices, step: Step, again: Step
) -> None:
    done: list[str] = []

    async def work(upload_id: str, _: WorkerServices) -> None:
        done.append(upload_id)

    ids = [f"id-{number}" for number in range(20)]
    await poison.several(step, ids, work)(services)
    assert sorted(done) == sorted(ids)
    died, others = ids[:12], ids[12:]
    for upload_id in died:  # their worker was killed
        await services.backends.redis.incr(keys.tries(upload_id))
    done.clear()
    await poison.several(step, ids, work)(services)
    assert sorted(done) == sorted(others)
    services.backends.queue.close(60)
    assert await services.backends.redis.llen(again) == len(died)
    assert {await tries(services, upload_id) for upload_id in died} == {1}
    assert {await tries(services, upload_id) for upload_id in others} == {0}


@pytest.mark.parametrize(
    ("step", "before", "alone"),
    [
        (Step.RESUME, 0, False),
        (Step.RESUME, 1, True),
        (Step.REGISTER, 1, False),
        (Step.REGISTER, 2, True),
        (Step.INSPECT, 2, True),
    ],
)
async def test_one_suspect_runs_at_a_time(
    services: WorkerServices, step: Step, before: int, *, alone: bool
) -> None:
    running: set[str] = set()
    most = 0
    ids = [f"id-{number}" for number in range(4)]
    all_at_once = asyncio.Barrier(len(ids))

    async def work(upload_id: str, services: WorkerServices) -> None:
        nonlocal most
        running.add(upload_id)
        most = max(most, len(running))
        assert await tries(services, upload_id) == before + 1
        if alone:
            await asyncio.sleep(0.05)  # in which others would begin
        else:
            await all_at_once.wait()
        running.remove(upload_id)

    if before:
        for upload_id in ids:
            await services.backends.redis.set(keys.tries(upload_id), before)
    await asyncio.gather(*(poison.one(step, each, work)(services) for each in ids))
    assert most == (1 if alone else len(ids))
    assert [await tries(services, each) for each in ids] == [before] * len(ids)


async def test_a_suspect_that_waits_for_its_turn_is_not_counted(services: WorkerServices) -> None:
    ids = [f"id-{number}" for number in range(4)]
    for upload_id in ids:
        await services.backends.redis.set(keys.tries(upload_id), 1)
    begun, died = asyncio.Event(), asyncio.Event()

    async def work(_: str, __: WorkerServices) -> None:
        begun.set()
        await died.wait()

    resumed = [asyncio.create_task(poison.one(Step.RESUME, each, work)(services)) for each in ids]
    await begun.wait()
    # Here the process would die.
    assert sorted([await tries(services, each) for each in ids]) == [1, 1, 1, 2]
    died.set()
    await asyncio.gather(*resumed)
    assert [await tries(services, each) for each in ids] == [1] * len(ids)


async def test_a_slow_suspect_does_not_block_others(
    services: WorkerServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poison, "_ALONE_SECONDS", 0.05)
    done = asyncio.Event()

    async def waits(_: str, __: WorkerServices) -> None:
        await done.wait()

    async def ends(_: str, __: WorkerServices) -> None:
        done.set()

    for upload_id in ("a", "b", "c"):
        await services.backends.redis.set(keys.tries(upload_id), 1)
    slow = asyncio.create_task(poison.one(Step.RESUME, "a", waits)(services))
    await asyncio.sleep(0.01)
    await poison.one(Step.RESUME, "b", ends)(services)
    await slow
    assert services.suspects._value == 1  # each gave its turn back once


async def test_suspects_of_a_worker_that_stops_are_given_back(services: WorkerServices) -> None:
    begun = asyncio.Event()

    async def waits(_: str, __: WorkerServices) -> None:
        begun.set()
        await asyncio.Event().wait()

    ids = ["a", "b", "c"]
    for upload_id in ids:
        await services.backends.redis.set(keys.tries(upload_id), 1)
    steps = [asyncio.create_task(poison.one(Step.RESUME, each, waits)(services)) for each in ids]
    await begun.wait()
    for each in steps:
        each.cancel()
    await asyncio.gather(*steps)
    assert [await tries(services, each) for each in ids] == [1, 1, 1]
    services.backends.queue.close(60)
    assert await services.backends.redis.llen(Step.RESUME) == len(ids)


async def test_steps_of_many_messages_share_the_places(services: WorkerServices) -> None:
    running = most = 0
    turns = services.turns._value

    async def work(_: str, __: WorkerServices) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    messages = [[f"{number}-{each}" for each in range(8)] for number in range(10)]
    steps = (poison.several(Step.INSPECT, ids, work)(services) for ids in messages)
    await asyncio.gather(*steps)
    assert most <= 2 * turns


async def test_a_failing_upload_does_not_block_others(services: WorkerServices) -> None:
    done: list[str] = []

    async def work(upload_id: str, services: WorkerServices) -> None:
        if upload_id == "id-3":
            await raises(upload_id, services)
        await asyncio.sleep(0)
        done.append(upload_id)

    ids = [f"id-{number}" for number in range(6)]
    await poison.several(Step.AUDIT, ids, work)(services)
    assert len(done) == 5
    assert await tries(services, "id-3") == 1


async def test_without_redis_steps_run_uncounted(services: WorkerServices) -> None:
    done: list[str] = []

    async def work(upload_id: str, services: WorkerServices) -> None:
        done.append(upload_id)
        if upload_id == "b":
            await raises(upload_id, services)

    async with Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        backends = replace(services.backends, redis=nowhere)
        lonely = replace(services, backends=backends, due=Due(nowhere, backends.queue))
        await poison.several(Step.INSPECT, ["a", "b", "c"], work)(lonely)
        await poison.one(Step.RESUME, "d", work)(lonely)
    assert sorted(done) == ["a", "b", "c", "d"]


async def test_an_audit_of_a_dead_letter_ends_it(services: WorkerServices) -> None:
    upload = stored_upload(Delivery.RELAY)
    await services.backends.ledger.accept_relayed(upload)
    await services.backends.redis.set(keys.tries(upload.id), poison.MOST_TRIES)
    await poison.one(Step.RESUME, upload.id, resume)(services)
    assert (await services.backends.ledger.find(upload.id)).state is State.FAILED
