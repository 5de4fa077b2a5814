"""An order to remove a file outlives whoever was at it, and removes that file alone."""

import asyncio
import os
import signal
from contextlib import suppress

import aiohttp
import pytest

from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from gateway.uploads.removals import Removals
from tests.crashes.conftest import PATH, Stage, died
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.servers.aged_store import sweep_later
from tests.servers.sandbox import TOKENS

MESSAGES = 200
OTHERS = 50
AT_A_TIME = 20
WITHIN = 60.0


@pytest.fixture(autouse=True)
def _removing(lonely_environ: dict[str, str]) -> None:
    lonely_environ["GATEWAY_DELIVERY"] = "external"
    lonely_environ["GATEWAY_DELETE_FILES"] = "true"


async def all_ordered(stage: Stage) -> None:
    """Send a task for each order."""
    async for order_id in Removals(stage.backends.store).overdue(0):
        stage.backends.queue.send(Step.REMOVE, order_id)


async def all_carried_out(stage: Stage) -> None:
    """As a sweeper sees to it, that finds what is overdue at once."""
    async with asyncio.timeout(PATIENCE):
        while await stage.left(keys.REMOVALS):
            await all_ordered(stage)
            await asyncio.sleep(1)


@pytest.mark.parametrize(("point", "stands"), [("removal.ordered", True), ("removal.acted", False)])
async def test_a_gateway_that_dies_at_a_deletion(stage: Stage, point: str, stands: bool) -> None:
    worker = stage.worker()
    assert await stage.upload(stage.gateway()) is not None
    (message,) = await stage.messages()
    gateway = stage.gateway(point)
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        with suppress(aiohttp.ClientError):
            await client.request("DELETE", f"/v1/messages/{message['id']}")
    await died(gateway.pid)
    assert len(await stage.left(keys.INCOMING)) == len(await stage.left(keys.REMOVALS)) == 1
    assert len(await stage.messages()) == stands
    if stands:  # and the client tries again
        async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
            assert (await client.request("DELETE", f"/v1/messages/{message['id']}")).status == 200
    await all_carried_out(stage)
    assert await stage.left(keys.INCOMING) == []
    assert worker.exit_status is None


@pytest.mark.parametrize("point", ["removal.recorded", "removal.file-removed"])
async def test_what_a_worker_left_is_removed(stage: Stage, point: str) -> None:
    gateway = stage.gateway()
    worker = stage.worker(point)
    assert await stage.upload(gateway) is not None
    (message,) = await stage.messages()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        assert (await client.request("DELETE", f"/v1/messages/{message['id']}")).status == 200
        await died(worker.pid)
        assert (await client.request("GET", message["file"]["url"])).status == 410
    stage.worker()
    await all_carried_out(stage)
    assert await stage.left(keys.INCOMING) == []


@pytest.mark.parametrize("point", ["", "removal.erased"])
async def test_a_purge_leaves_nothing_of_a_subject(stage: Stage, point: str) -> None:
    gateway, worker = stage.gateway(), stage.worker(point)
    assert await stage.upload(gateway, key="a key") is not None
    async with Client.open(gateway.url, TOKENS["bob"]) as bob:
        kept = await bob.upload(PATH, files.PNG, name=stage.name)
    async with Client.open(gateway.url, TOKENS["alice"]) as alice:
        fresh = await alice.upload(PATH, files.PNG, name=stage.name)
        await died(stage.command("uploads", "purge", "--subject", "alice", crash_at="").pid)
        assert (await alice.resource(fresh.upload_id))["state"] == "registered"
        await died(
            stage.command("uploads", "purge", "--subject", "alice", "--yes", crash_at="").pid
        )
        if point:
            await all_ordered(stage)
            await died(worker.pid)
            worker = stage.worker()
        await all_carried_out(stage)
        assert (await alice.request("GET", f"/gateway/uploads/{fresh.upload_id}")).status == 404
        assert (await alice.request("GET", fresh.json()["file"]["url"])).status == 404
    assert await stage.left(keys.INCOMING) == [kept.upload_id]
    assert await stage.left(keys.CLAIMS) == await stage.left(keys.PENDING) == []
    for prefix in ("incoming/", "records/", "pending/", "spare/", "claims/", "removals/"):
        async for info in stage.backends.store.list(prefix):
            assert b"alice" not in (await stage.backends.store.get(info.key)).content
    assert not await stage.backends.redis.exists(keys.of_subject("alice"))
    assert worker.exit_status is None


@pytest.mark.slow
async def test_files_of_deleted_messages_are_gone_within_a_minute_and_no_others(
    stage: Stage,
) -> None:
    gateway, workers = stage.gateway(), [stage.worker(), stage.worker()]
    turns = asyncio.Semaphore(AT_A_TIME)
    async with Client.open(gateway.url, TOKENS["alice"]) as client:

        async def send(_: int) -> tuple[str, int]:
            async with turns:
                answer = await client.upload(PATH, files.PNG, name=stage.name)
            assert answer.status == 200, answer.body
            return answer.upload_id, answer.json()["id"]

        async def delete(message_id: int) -> None:
            async with turns:
                answer = await client.request("DELETE", f"/v1/messages/{message_id}")
            assert answer.status == 200

        sent = await asyncio.gather(*map(send, range(MESSAGES + OTHERS)))
        deleting = asyncio.gather(*(delete(message_id) for _, message_id in sent[:MESSAGES]))
        for _ in range(4):  # each with what it has in hand
            await asyncio.sleep(1)
            os.kill(workers.pop(0).pid, signal.SIGKILL)
            workers.append(stage.worker())
        await deleting
    kept = {upload_id for upload_id, _ in sent[MESSAGES:]}
    async with asyncio.timeout(WITHIN):
        while set(await stage.left(keys.INCOMING)) != kept:
            await asyncio.sleep(5)
            await sweep_later(stage.backends, 0.0)
    assert await stage.left(keys.REMOVALS) == []
