"""Offered records: if a process dies or freezes with one, the upload is still registered once."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast
from uuid import uuid4

import pytest

from gateway.stack.seaweedfs import SeaweedFS
from gateway.uploads import keys
from tests.crashes.conftest import PATH, Stage, died, stopped
from tests.flows import files
from tests.flows.client import Answer, Client
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS
from tests.servers.store_proxy import FaultProxy


@pytest.fixture(autouse=True)
def _external(lonely_environ: dict[str, str]) -> None:
    lonely_environ["GATEWAY_DELIVERY"] = "external"
    lonely_environ["GATEWAY_REGISTRATION_WAIT"] = "120"  # which goes on while it is suspended


@pytest.fixture
async def workers(stage: Stage, seaweedfs: SeaweedFS) -> AsyncIterator[Stage]:
    """For workers to which each file is new: offers stay valid while a worker starts."""
    async with FaultProxy.start(seaweedfs.endpoint_url) as proxy:
        proxy.ahead = -3600.0
        yield replace(stage, environ=stage.environ | {"GATEWAY_S3_ENDPOINT_URL": proxy.url})


async def offered(stage: Stage, crash_at: str = "") -> tuple[Gateway, asyncio.Task[Answer | None]]:
    """A gateway that is suspended with an offer that no worker has accepted yet."""
    gateway = stage.gateway(crash_at=crash_at, stop_at="external.offered")
    sending = asyncio.create_task(stage.upload(gateway))
    await stopped(gateway.pid)
    assert await stage.tasks_that_wait() == 1
    assert await stage.left(keys.PENDING) == []
    assert await listed(stage) == []
    return gateway, sending


async def listed(stage: Stage) -> list[str]:
    """The uploads that subjects' lists have."""
    redis = stage.backends.redis
    lists = [key async for key in redis.scan_iter(match="uploads:of:*")]
    members = [cast(bytes, each) for key in lists for each in await redis.zrange(key, 0, -1)]
    return [upload_id.decode() for upload_id in members]


async def registered(stage: Stage) -> None:
    """Wait until the upload has ended."""
    async with asyncio.timeout(60):
        while not await stage.left(keys.RECORDS) or await stage.left(keys.PENDING):
            await asyncio.sleep(0.05)


async def check_once(stage: Stage, sending: asyncio.Task[Answer | None]) -> None:
    """Assert that the client got its message, and that nothing else is there."""
    answer = await sending
    assert answer is not None
    assert answer.status == 200, answer.body
    await stage.take_up()
    assert len(await stage.messages()) == 1
    assert await stage.left(keys.PENDING) == []
    assert await stage.left(keys.INCOMING) == [answer.upload_id]
    assert await listed(stage) == [answer.upload_id]


@pytest.mark.parametrize("prefer", ["respond-async", "wait=1", "wait=3"])
async def test_an_upload_without_an_end_is_acknowledged_once_its_record_is_there(
    stage: Stage, prefer: str
) -> None:
    gateway = stage.gateway()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        answer = await client.upload(PATH, files.PNG, name=stage.name, headers={"Prefer": prefer})
        assert answer.status == 202, answer.body
        assert await stage.left(keys.PENDING) == [answer.upload_id]
        assert await listed(stage) == [answer.upload_id]
        worker = stage.worker()
        await registered(stage)
        assert (await client.resource(answer.upload_id))["state"] == "registered"
    assert len(await stage.messages()) == 1
    assert worker.exit_status is None


async def test_an_offer_without_an_answer_is_not_an_upload(stage: Stage) -> None:
    gateway = stage.gateway("external.offered")
    assert await stage.upload(gateway) is None
    await died(gateway.pid)
    await stage.forget_presence()
    assert await stage.left(keys.PENDING) == []
    await stage.take_up()
    assert await stage.left(keys.INCOMING) == []
    assert await stage.messages() == []


async def test_an_offer_outlives_its_gateway(stage: Stage, workers: Stage) -> None:
    gateway = stage.gateway("external.offered")
    assert await stage.upload(gateway) is None
    await died(gateway.pid)
    worker = workers.worker()
    await registered(stage)
    await stage.take_up()
    assert len(await stage.messages()) == 1
    assert worker.exit_status is None


async def test_an_offer_that_a_worker_accepted_and_left_is_registered_once(
    stage: Stage, workers: Stage
) -> None:
    gateway, sending = await offered(stage)
    await died(workers.worker("offer.taken").pid)
    assert len(await stage.left(keys.PENDING)) == 1
    os.kill(gateway.pid, signal.SIGCONT)
    await stage.take_up()
    await check_once(stage, sending)


async def test_a_late_gateway_finds_the_upload_ended(stage: Stage, workers: Stage) -> None:
    gateway, sending = await offered(stage)
    workers.worker()
    await registered(stage)
    os.kill(gateway.pid, signal.SIGCONT)
    await check_once(stage, sending)


async def test_the_record_of_a_late_gateway_that_dies_is_removed(
    stage: Stage, workers: Stage
) -> None:
    gateway, sending = await offered(stage, crash_at="accept.written")
    worker = workers.worker()
    await registered(stage)
    os.kill(gateway.pid, signal.SIGCONT)
    assert await sending is None
    await died(gateway.pid)
    assert len(await stage.left(keys.PENDING)) == 1
    await stage.take_up()
    assert await stage.left(keys.PENDING) == []
    assert len(await stage.messages()) == 1
    assert worker.exit_status is None


@pytest.mark.parametrize("point", ["inspect.passed", "offer.taken"])
async def test_a_frozen_worker_with_an_offer_duplicates_nothing(
    stage: Stage, workers: Stage, point: str
) -> None:
    gateway, sending = await offered(stage)
    frozen = workers.worker(stop_at=point)
    await stopped(frozen.pid)
    os.kill(gateway.pid, signal.SIGCONT)
    async with asyncio.timeout(60):
        while not await stage.left(keys.PENDING):
            await asyncio.sleep(0.02)
    await stage.take_up()
    assert len(await stage.messages()) == 1
    os.kill(frozen.pid, signal.SIGCONT)
    upload = await stage.ours()
    assert upload is not None
    await stage.end_of_steps(upload.id)
    await check_once(stage, sending)


@pytest.mark.parametrize("repeated", ["before", "after"])
async def test_a_repetition_of_an_offered_upload_gets_its_message(
    stage: Stage, workers: Stage, repeated: str
) -> None:
    key = str(uuid4())
    dying = stage.gateway("external.offered")
    assert await stage.upload(dying, key) is None
    await died(dying.pid)
    await stage.forget_presence()
    if repeated == "after":
        workers.worker()
        await registered(stage)
    sending = asyncio.create_task(stage.upload(stage.gateway(), key))
    if repeated == "before":
        async with asyncio.timeout(60):
            while not await stage.left(keys.PENDING):
                await asyncio.sleep(0.02)
        stage.worker()  # which must see that the record is getting older
    await check_once(stage, sending)
