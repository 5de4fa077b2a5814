"""`external`: a process dies at each line of it, and the file is registered once, or not at all."""

import asyncio
from uuid import uuid4

import pytest

from gateway.uploads import keys
from gateway.uploads.record import State
from tests.crashes.conftest import PATH, Stage, died
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.servers.sandbox import TOKENS


@pytest.fixture(autouse=True)
def _external(lonely_environ: dict[str, str]) -> None:
    lonely_environ["GATEWAY_DELIVERY"] = "external"


async def test_a_file_without_a_record_is_removed(stage: Stage) -> None:
    gateway = stage.gateway("external.stored")
    assert await stage.upload(gateway) is None
    await died(gateway.pid)
    assert len(await stage.left(keys.INCOMING)) == 1
    await stage.take_up()
    assert await stage.left(keys.INCOMING) == []
    assert await stage.left(keys.PENDING) == []
    assert await stage.messages() == []


async def test_a_record_without_a_task_is_registered(stage: Stage) -> None:
    gateway = stage.gateway("external.accepted")
    assert await stage.upload(gateway) is None
    await died(gateway.pid)
    await stage.take_up()
    assert len(await stage.messages()) == 1
    upload = await stage.ours()
    assert upload is not None
    assert upload.state is State.REGISTERED


@pytest.mark.parametrize(
    ("point", "before"),
    [
        ("inspect.passed", 0),
        ("register.claimed", 0),
        ("register.acted", 1),
        ("end.recorded", 1),
    ],
)
async def test_what_a_worker_left_is_registered_once(stage: Stage, point: str, before: int) -> None:
    gateway = stage.gateway()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        headers = {"Prefer": "respond-async"}
        answer = await client.upload(PATH, files.PNG, name=stage.name, headers=headers)
        assert answer.status == 202
        await died(stage.worker(point).pid)
        assert len(await stage.messages()) == before
        await stage.take_up()
        assert (await client.resource(answer.upload_id))["state"] == "registered"
    assert len(await stage.messages()) == 1
    assert await stage.left(keys.PENDING) == []


async def test_a_request_whose_answer_and_sender_are_lost_is_not_repeated(stage: Stage) -> None:
    await stage.sandbox.fault("POST", PATH, cut="after")
    gateway = stage.gateway()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        headers = {"Prefer": "respond-async"}
        answer = await client.upload(PATH, files.PNG, name=stage.name, headers=headers)
        worker = stage.worker("")
        async with asyncio.timeout(PATIENCE):
            while not await stage.messages():
                await asyncio.sleep(0.02)
        worker.kill()
        await stage.take_up()
        assert (await client.resource(answer.upload_id))["state"] == "registered"
    assert len(await stage.messages()) == 1


async def test_a_verdict_stands_whatever_becomes_of_the_file(stage: Stage) -> None:
    gateway = stage.gateway()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        headers = {"Prefer": "respond-async"}
        answer = await client.upload(PATH, files.EXE, name=stage.name, headers=headers)
        await died(stage.worker("inspect.rejected").pid)
        await stage.take_up()
        resource = await client.resource(answer.upload_id)
    assert resource["state"] == "rejected"
    assert await stage.left(keys.INCOMING) == []
    assert await stage.messages() == []


@pytest.mark.parametrize("point", ["claim.taken", "external.stored", "external.accepted"])
async def test_a_request_that_is_repeated_with_its_key_is_carried_out_once(
    stage: Stage, point: str
) -> None:
    key = str(uuid4())
    dying = stage.gateway(point)
    assert await stage.upload(dying, key) is None
    await died(dying.pid)
    await stage.forget_presence()
    worker = stage.worker("")
    again = stage.gateway()
    answer = await stage.upload(again, key)
    assert answer is not None
    assert answer.status == 200, answer.body
    once_more = await stage.upload(again, key)
    assert once_more is not None
    assert (once_more.status, once_more.body) == (200, answer.body)
    assert once_more.upload_id == answer.upload_id
    await stage.take_up()
    assert len(await stage.messages()) == 1
    assert set(await stage.left(keys.INCOMING)) == {answer.upload_id}
    assert worker.exit_status is None


@pytest.mark.parametrize("point", ["fence.placed", "fence.recorded"])
async def test_a_fence_that_was_begun_is_finished(stage: Stage, point: str) -> None:
    key = str(uuid4())
    assert await stage.upload(stage.gateway("external.stored"), key) is None
    await stage.forget_presence()
    assert await stage.upload(stage.gateway(point), key) is None
    await stage.forget_presence()
    await stage.take_up()
    assert await stage.left(keys.PENDING) == []
    assert await stage.left(keys.INCOMING) == []
    worker = stage.worker("")
    answer = await stage.upload(stage.gateway(), key)
    assert answer is not None
    assert answer.status == 200
    assert len(await stage.messages()) == 1
    assert worker.exit_status is None
