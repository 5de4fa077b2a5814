"""`external`: a process dies at each step, and the file is registered once, or not at all."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from uuid import uuid4

import aiohttp
import pytest
from msgspec.structs import replace

from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import DEAD_LETTER, Change, State, to_json
from tests.crashes.conftest import PATH, Stage, died, stopped
from tests.flows import files, raw
from tests.flows.client import PATIENCE, Client
from tests.servers.sandbox import TOKENS
from workers.steps.poison import MOST_TRIES


@pytest.fixture(autouse=True)
def _external(lonely_environ: dict[str, str]) -> None:
    lonely_environ["GATEWAY_DELIVERY"] = "external"


async def test_a_file_without_a_record_is_removed(stage: Stage) -> None:
    gateway = stage.gateway("external.stored")
    assert await stage.upload(gateway) is None
    await died(gateway.pid)
    await stage.forget_presence()
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
async def test_an_upload_that_a_worker_left_is_registered_once(
    stage: Stage, point: str, before: int
) -> None:
    gateway = stage.gateway()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        headers = {"Prefer": "respond-async"}
        answer = await client.upload(PATH, files.PNG, name=stage.name, headers=headers)
        assert answer.status == 202
        await died(stage.worker(point).pid)
        assert len(await stage.messages()) == before
        await stage.sandbox.forget_requests()
        await stage.take_up()
        assert (await client.resource(answer.upload_id))["state"] == "registered"
    if point == "end.recorded":  # nothing is left to be asked
        assert [each["path"] for each in await stage.sandbox.requests()].count(PATH) == 0
    assert len(await stage.messages()) == 1
    assert await stage.left(keys.PENDING) == []


async def hosted(stage: Stage, *datas: bytes) -> list[str]:
    """Uploads that no worker has seen yet: their ids."""
    async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
        headers = {"Prefer": "respond-async"}
        sent = (client.upload(PATH, data, name=stage.name, headers=headers) for data in datas)
        answers = await asyncio.gather(*sent)
    assert {answer.status for answer in answers} == {202}
    return [answer.upload_id for answer in answers]


async def all_ended(stage: Stage) -> None:
    """Resume pending uploads until there are none: a dying worker loses its messages."""
    async with asyncio.timeout(PATIENCE):
        while await stage.left(keys.PENDING):
            await stage.send_pending()
            await asyncio.sleep(1)


async def tries_of(stage: Stage, upload_id: str) -> int:
    """How many steps of the upload have begun and not ended; one worker may begin two."""
    return int(await stage.backends.redis.get(keys.tries(upload_id)) or 0)


async def test_another_worker_finishes_a_dead_workers_message_of_many(
    stage: Stage,
) -> None:
    uploads = await hosted(stage, *[files.PNG] * 6)
    await stage.backends.redis.delete(Step.INSPECT)
    stage.backends.queue.send(Step.INSPECT, uploads[0])
    await stage.wait_for_tasks(1)  # the first is sent at once, alone
    for upload_id in uploads:
        stage.backends.queue.send(Step.INSPECT, upload_id)
    await stage.wait_for_tasks(2)
    await died(stage.worker("inspect.passed").pid)
    assert len(await stage.left(keys.PENDING)) == len(uploads)
    worker = stage.worker("")
    await all_ended(stage)
    ended = [await stage.backends.ledger.find_ended(upload_id) for upload_id in uploads]
    assert {upload.state for upload in ended} == {State.REGISTERED}
    assert len(await stage.messages()) == len(uploads)
    assert worker.exit_status is None


@pytest.mark.slow
async def test_an_upload_that_kills_workers_does_not_end_its_neighbours(stage: Stage) -> None:
    """Only what passes its inspection kills here; the neighbours are programs, which do not."""
    poison, *others = await hosted(stage, files.PNG, *[files.EXE] * 7)
    while await tries_of(stage, poison) < MOST_TRIES:
        await stage.backends.redis.delete(Step.INSPECT, Step.RESUME)
        worker = stage.worker("inspect.passed")
        await stage.send_pending()
        await died(worker.pid)
    worker = stage.worker("inspect.passed")
    await all_ended(stage)
    dead = await stage.backends.ledger.find_ended(poison)
    assert (dead.state, dead.fault and dead.fault.slug) == (State.FAILED, DEAD_LETTER)
    ended = [await stage.backends.ledger.find_ended(upload_id) for upload_id in others]
    assert {upload.state for upload in ended} == {State.REJECTED}
    assert worker.exit_status is None


async def test_a_task_of_an_earlier_gateway_is_carried_out(stage: Stage) -> None:
    uploads = await hosted(stage, files.PNG)
    await stage.backends.redis.delete(Step.INSPECT)
    stage.backends.queue._send_task(Step.INSPECT, uploads)  # its argument is one id
    worker = stage.worker("")
    async with asyncio.timeout(PATIENCE):
        while await stage.left(keys.PENDING):
            await asyncio.sleep(0.05)
    ended = await stage.backends.ledger.find_ended(uploads[0])
    assert ended.state is State.REGISTERED
    assert worker.exit_status is None


async def test_parts_of_an_abandoned_file_are_removed(stage: Stage) -> None:
    gateway = stage.gateway()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:

        async def slowly() -> AsyncIterator[bytes]:
            yield raw.form(bytes(10_000_000), filename=stage.name)[:-20]
            await asyncio.sleep(PATIENCE)

        headers = {"Content-Type": f"multipart/form-data; boundary={raw.BOUNDARY}"}
        sending = asyncio.create_task(client.request("POST", PATH, data=slowly(), headers=headers))
        async with asyncio.timeout(PATIENCE):
            while not await stage.open_multiparts():
                await asyncio.sleep(0.02)
        os.kill(gateway.pid, signal.SIGKILL)
        with pytest.raises(aiohttp.ClientError):
            await sending
    await stage.forget_presence()
    await stage.take_up()
    assert await stage.open_multiparts() == []
    assert await stage.left(keys.INCOMING) == []


@pytest.mark.parametrize("key", ["with a key", None])
async def test_process_suspended_during_takeover_is_not_also_accepted(
    stage: Stage, key: str | None
) -> None:
    frozen = stage.gateway(stop_at="external.stored")
    # Of several parts: their age at the store says nothing, so the gateway has to look.
    data = files.PNG.ljust(9_000_000, b"\0")
    first = asyncio.create_task(stage.upload(frozen, key, data=data))
    await stopped(frozen.pid)
    worker = stage.worker("")
    await stage.forget_presence()
    if key is None:
        await stage.take_up()  # the sweeper treats the file as an orphan
    else:
        again = await stage.upload(stage.gateway(), key, data=data)
        assert again is not None
        assert again.status == 200
    os.kill(frozen.pid, signal.SIGCONT)
    late = await first
    assert late is not None
    # The repetition continued with the file that was there, and both get the same answer.
    assert late.status == (503 if key is None else 200)
    await stage.take_up()
    assert len(await stage.messages()) == (0 if key is None else 1)
    assert len(await stage.left(keys.INCOMING)) == (0 if key is None else 1)
    assert worker.exit_status is None


async def test_a_retry_by_hand_that_was_cut_short_is_carried_out_once(stage: Stage) -> None:
    await stage.sandbox.fault("POST", PATH, status=400, body="{}")
    gateway = stage.gateway()
    worker = stage.worker("")
    answer = await stage.upload(gateway)
    assert answer is not None
    failed = await stage.backends.ledger.find(answer.upload_id)
    # Only the client can fix a rejected upload: make it one that an operator may retry.
    changes = (*failed.history[:-1], Change(State.FAILED, failed.since))
    again = replace(failed, history=changes, result=None)
    await stage.backends.store.put(keys.incoming(again.id), files.PNG)
    await stage.backends.store.put(keys.record(again.id), to_json(again))
    await died(stage.command("uploads", "retry", again.id, crash_at="reopen.kept").pid)
    await stage.take_up()
    ended = await stage.backends.ledger.find_ended(again.id)
    assert ended.state is State.REGISTERED
    assert len(await stage.messages()) == 1
    assert await stage.left(keys.PENDING) == []
    assert worker.exit_status is None


async def test_a_request_is_not_repeated_after_its_answer_and_sender_are_lost(stage: Stage) -> None:
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


async def test_a_verdict_is_final_whatever_becomes_of_the_file(stage: Stage) -> None:
    gateway = stage.gateway()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        headers = {"Prefer": "respond-async"}
        answer = await client.upload(PATH, files.EXE, name=stage.name, headers=headers)
        await died(stage.worker("verdict.kept").pid)
        await stage.backends.store.delete(keys.incoming(answer.upload_id))  # as it does next
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
    await stage.lose_copies()  # otherwise the repetition continues with the file
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
