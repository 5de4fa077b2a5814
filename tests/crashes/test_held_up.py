"""Processes that are frozen for long, or wait for the store: nothing is lost, nothing doubled.

What passes meanwhile is made to: by a store that says that all in it is older, and, to whom it
keeps waiting, that it answers later than it does.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from chaos.servers.freezing import frozen
from gateway.stack.probes import says
from gateway.stack.seaweedfs import SeaweedFS
from gateway.uploads import keys
from gateway.uploads.record import State
from tests.crashes.conftest import LATER, PATH, Stage, died, stopped
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.servers.sandbox import TOKENS
from tests.servers.store_proxy import Fault, FaultProxy

A_RECORD = rb"^PUT \S+/pending/"
IN_PARTS = files.PNG.ljust(9_000_000, b"\0")
"""Of several parts: their age at the store says nothing."""


@pytest.fixture(autouse=True)
def _external(lonely_environ: dict[str, str]) -> None:
    lonely_environ["GATEWAY_DELIVERY"] = "external"
    lonely_environ["GATEWAY_REGISTRATION_WAIT"] = "120"  # which goes on while it is suspended


@pytest.fixture
async def proxy(seaweedfs: SeaweedFS) -> AsyncIterator[FaultProxy]:
    async with FaultProxy.start(seaweedfs.endpoint_url) as proxy:
        yield proxy


async def test_a_record_that_the_store_accepts_after_the_fence_is_not_acknowledged(
    stage: Stage, proxy: FaultProxy
) -> None:
    gateway = stage.gateway(store=proxy.url)
    held = proxy.fail(A_RECORD, Fault.WAIT)
    sending = asyncio.create_task(stage.upload(gateway))
    async with asyncio.timeout(PATIENCE):
        await held.met.wait()
    with frozen(gateway.pid):  # otherwise it marks its presence again
        await stage.forget_presence()
        await stage.take_up()  # the sweeper treats the file as an orphan
        assert await stage.left(keys.INCOMING) == []
    proxy.ahead = LATER
    proxy.mend()
    answer = await sending
    assert answer is not None
    assert answer.status == 503, answer.body
    assert answer.json()["type"].endswith(":upload-superseded")
    assert await stage.left(keys.PENDING) == []


async def test_a_record_that_arrives_after_the_fence_is_not_an_upload(
    stage: Stage, proxy: FaultProxy
) -> None:
    key = str(uuid4())
    gateway = stage.gateway(store=proxy.url)
    held = proxy.fail(A_RECORD, Fault.WAIT)
    sending = asyncio.create_task(stage.upload(gateway, key))
    async with asyncio.timeout(PATIENCE):
        await held.met.wait()
    os.kill(gateway.pid, signal.SIGKILL)
    assert await sending is None
    await stage.forget_presence()
    await stage.take_up()
    proxy.mend()
    async with asyncio.timeout(PATIENCE):
        while not await stage.left(keys.PENDING):
            await asyncio.sleep(0.02)
    worker = stage.worker()
    again = await stage.upload(stage.gateway(), key)  # and the key is not the late record's
    assert again is not None
    assert again.status == 200, again.body
    await stage.take_up()
    assert await stage.left(keys.PENDING) == []
    assert await stage.left(keys.INCOMING) == [again.upload_id]
    assert len(await stage.messages()) == 1
    assert worker.exit_status is None


@pytest.mark.parametrize("key", ["with a key", None])
async def test_an_upload_registered_while_its_gateway_was_suspended_is_kept(
    stage: Stage, key: str | None
) -> None:
    frozen = stage.gateway(stop_at="accept.written")
    sending = asyncio.create_task(stage.upload(frozen, key, data=IN_PARTS))
    await stopped(frozen.pid)
    await stage.take_up()
    assert len(await stage.messages()) == 1
    os.kill(frozen.pid, signal.SIGCONT)
    answer = await sending
    assert answer is not None
    assert answer.status == 200, answer.body
    assert await stage.left(keys.INCOMING) == [answer.upload_id]


@pytest.mark.parametrize("whole", [True, False])
async def test_a_record_that_is_written_again_after_its_end_is_registered_once(
    stage: Stage, proxy: FaultProxy, whole: bool
) -> None:
    gateway = stage.gateway(store=proxy.url)
    proxy.fail(A_RECORD, Fault.CUT_ANSWER, times=1)
    again = proxy.fail(A_RECORD, Fault.WAIT, times=1)
    data = files.PNG if whole else IN_PARTS
    sending = asyncio.create_task(stage.upload(gateway, data=data))
    async with asyncio.timeout(PATIENCE):
        await again.met.wait()  # a repetition of the client's own library
    with frozen(gateway.pid):  # or it would give the store up
        await stage.take_up()
        assert len(await stage.messages()) == 1
        worker = stage.worker()
    proxy.ahead = LATER
    proxy.mend()
    answer = await sending
    assert answer is not None
    assert answer.status == 200, answer.body
    await stage.take_up()
    assert len(await stage.messages()) == 1
    assert await stage.left(keys.PENDING) == []
    assert await stage.left(keys.INCOMING) == [answer.upload_id]
    assert worker.exit_status is None


async def test_a_record_refused_because_of_its_own_first_try_is_accepted(
    stage: Stage, proxy: FaultProxy
) -> None:
    gateway = stage.gateway(store=proxy.url)
    proxy.fail(A_RECORD, Fault.CUT_ANSWER, times=1)
    again = proxy.fail(A_RECORD, Fault.WAIT, times=1)
    sending = asyncio.create_task(stage.upload(gateway))
    async with asyncio.timeout(PATIENCE):
        await again.met.wait()
    with frozen(gateway.pid):  # or it would give the store up
        await stage.send_pending()
        await died(stage.worker("register.claimed").pid)  # which has written the record anew
    proxy.mend()
    async with asyncio.timeout(PATIENCE):
        while not says(gateway.log, 0, "upload.stored"):
            await asyncio.sleep(0.02)
    await stage.take_up()
    answer = await sending
    assert answer is not None
    assert answer.status == 200, answer.body
    assert len(await stage.messages()) == 1
    assert await stage.left(keys.INCOMING) == [answer.upload_id]


async def test_fence_on_a_registered_upload_frees_no_key(stage: Stage, proxy: FaultProxy) -> None:
    key = str(uuid4())
    first = stage.gateway(stop_at="external.stored")
    sending = asyncio.create_task(stage.upload(first, key))
    await stopped(first.pid)
    await stage.forget_presence()
    await stage.lose_copies()  # otherwise the repetition continues with the file
    second = stage.gateway(stop_at="fence.placed", store=proxy.url)
    fence = proxy.fail(A_RECORD, Fault.WAIT, times=1)
    repeating = asyncio.create_task(stage.upload(second, key))
    async with asyncio.timeout(PATIENCE):
        await fence.met.wait()
    worker = stage.worker()
    os.kill(first.pid, signal.SIGCONT)
    answer = await sending
    assert answer is not None
    assert answer.status == 200, answer.body
    proxy.mend()
    await stopped(second.pid)
    await stage.forget_presence()
    third = await stage.upload(stage.gateway(), key)
    os.kill(second.pid, signal.SIGCONT)
    for repeated in (third, await repeating):
        assert repeated is not None
        assert (repeated.status, repeated.upload_id) == (200, answer.upload_id)
    assert len(await stage.messages()) == 1
    assert await stage.left(keys.INCOMING) == [answer.upload_id]
    assert worker.exit_status is None


async def test_a_refusal_that_is_out_of_date_ends_nothing(stage: Stage) -> None:
    await stage.sandbox.fault("POST", PATH, status=400, body="{}")
    gateway = stage.gateway()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        headers = {"Prefer": "respond-async"}
        answer = await client.upload(PATH, files.PNG, name=stage.name, headers=headers)
        frozen = stage.worker(stop_at="register.failed")
        await stopped(frozen.pid)
        await stage.take_up()  # another worker's attempt is not refused
        assert (await client.resource(answer.upload_id))["state"] == "registered"
        os.kill(frozen.pid, signal.SIGCONT)
        await stage.end_of_steps(answer.upload_id)
        assert (await client.resource(answer.upload_id))["state"] == "registered"
    assert len(await stage.messages()) == 1
    assert await stage.left(keys.INCOMING) == [answer.upload_id]


@pytest.mark.parametrize("point", ["verdict.kept", "verdict.file-removed"])
async def test_a_refusal_is_final_whatever_chatkitty_would_say_later(
    stage: Stage, point: str
) -> None:
    await stage.sandbox.fault("POST", PATH, status=400, body="{}")
    gateway = stage.gateway()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        headers = {"Prefer": "respond-async"}
        answer = await client.upload(PATH, files.PNG, name=stage.name, headers=headers)
        await died(stage.worker(point).pid)
        await stage.take_up()
        assert (await client.resource(answer.upload_id))["state"] == "rejected"
        again = await stage.backends.ledger.find_ended(answer.upload_id)
        assert again.result is not None
        assert again.result.status == 400
    assert await stage.messages() == []
    assert await stage.left(keys.PENDING) == []
    assert await stage.left(keys.INCOMING) == []


async def test_a_verdict_that_another_worker_carries_out_ends_once(stage: Stage) -> None:
    gateway = stage.gateway()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        headers = {"Prefer": "respond-async"}
        answer = await client.upload(PATH, files.EXE, name=stage.name, headers=headers)
        frozen = stage.worker(stop_at="verdict.kept")
        await stopped(frozen.pid)
        await stage.take_up()
        ended = await stage.backends.ledger.find_ended(answer.upload_id)
        os.kill(frozen.pid, signal.SIGCONT)
        await stage.end_of_steps(answer.upload_id)
    assert ended.state is State.REJECTED
    assert await stage.backends.ledger.find_ended(answer.upload_id) == ended


async def test_a_file_that_arrives_after_its_fence_is_removed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The test does not wait until listings show different ages for file and record.
    monkeypatch.setattr("workers.sweep.leftovers._APART", -2.0)
    key = str(uuid4())
    first = stage.gateway(crash_at="external.stored", stop_at="claim.taken")
    sending = asyncio.create_task(stage.upload(first, key))
    await stopped(first.pid)
    await stage.forget_presence()
    worker = stage.worker()
    answer = await stage.upload(stage.gateway(), key)
    assert answer is not None
    assert answer.status == 200, answer.body
    os.kill(first.pid, signal.SIGCONT)
    assert await sending is None
    await died(first.pid)
    assert len(await stage.left(keys.INCOMING)) == 2
    await stage.take_up()
    assert await stage.left(keys.INCOMING) == [answer.upload_id]
    assert worker.exit_status is None
