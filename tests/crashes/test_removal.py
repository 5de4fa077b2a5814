"""An order to remove a file survives the death of its process, and removes only that file."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.records.removals import Order, Removals
from gateway.text import digest
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Cause
from tests.crashes.conftest import PATH, Stage, died, stopped
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.flows.resuming import begin, offset_of, patch
from tests.servers.aged_store import sweep_later
from tests.servers.sandbox import TOKENS

MESSAGES = 200
OTHERS = 50
AT_A_TIME = 20
WITHIN = 200.0


@pytest.fixture(autouse=True)
def _removing(lonely_environ: dict[str, str]) -> None:
    lonely_environ["GATEWAY_DELIVERY"] = "external"
    lonely_environ["GATEWAY_DELETE_FILES"] = "true"


async def all_ordered(stage: Stage) -> None:
    """Send a task for each order."""
    async for order in Removals(stage.backends.store).all():
        stage.backends.queue.send(Step.REMOVE, order.id)


async def all_carried_out(stage: Stage) -> None:
    """Send tasks as a sweeper that treats everything as overdue."""
    async with asyncio.timeout(PATIENCE):
        while await stage.left(keys.REMOVALS):
            await all_ordered(stage)
            await asyncio.sleep(1)


@pytest.mark.parametrize(("point", "stands"), [("removal.ordered", True), ("removal.acted", False)])
async def test_a_deletion_is_finished_although_its_gateway_died(
    stage: Stage, point: str, stands: bool
) -> None:
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
async def test_a_file_that_a_worker_left_is_removed(stage: Stage, point: str) -> None:
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


async def in_redis(stage: Stage, *words: bytes) -> AsyncIterator[bytes]:
    """The keys with one of the words in their name or value."""
    redis = stage.backends.redis
    async for key in redis.scan_iter():
        value = await redis.dump(key) or b""
        if any(word in key or word in value for word in words):
            yield key


@pytest.mark.parametrize("point", ["", "removal.erased"])
async def test_a_purge_removes_all_data_of_a_subject(stage: Stage, point: str) -> None:
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
    kept_id = kept.upload_id.encode()
    assert await stage.left(keys.INCOMING) == [kept.upload_id]
    assert await stage.left(keys.PENDING) == []
    async for info in stage.backends.store.list(""):
        content = (await stage.backends.store.get(info.key)).content
        assert b"alice" not in content
        assert not (info.key.startswith(keys.CLAIMS) and PATH.encode() in content)
    left = [key async for key in in_redis(stage, b"alice", digest("alice").encode())]
    assert left == []
    ids = [upload_id.encode() for upload_id in await stage.left(keys.RECORDS)]
    left = [key async for key in in_redis(stage, *(each for each in ids if each != kept_id))]
    assert left == []
    assert worker.exit_status is None


async def test_a_purge_removes_data_left_by_a_dead_worker(stage: Stage) -> None:
    gateway, dying = stage.gateway(), stage.worker("end.recorded")
    async with Client.open(gateway.url, TOKENS["alice"]) as alice:
        await alice.upload(PATH, files.PNG, name=stage.name, headers={"Prefer": "respond-async"})
    await died(dying.pid)
    assert len(await stage.left(keys.PENDING)) == len(await stage.left(keys.RECORDS)) == 1
    await died(stage.command("uploads", "purge", "--subject", "alice", "--yes", crash_at="").pid)
    stage.worker()
    await all_carried_out(stage)
    await stage.take_up()
    assert await stage.left(keys.INCOMING) == await stage.left(keys.PENDING) == []
    async for info in stage.backends.store.list(""):
        assert b"alice" not in (await stage.backends.store.get(info.key)).content
    assert len(await stage.messages()) == 1


async def test_a_purge_ends_incomplete_uploads(stage: Stage) -> None:
    gateway, data = stage.gateway(), files.PNG.ljust(9 * 1024**2, b"\1")
    async with Client.open(gateway.url, TOKENS["alice"]) as alice:
        begun = await begin(alice, {"Idempotency-Key": "a key"}, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        assert (await patch(alice, path, 0, data, last=False)).status == 204
        ended = await begin(alice, name=stage.name)
        assert (await alice.request("DELETE", ended.headers["Location"])).status == 204
        await died(stage.command("uploads", "purge", "--subject", "alice", crash_at="").pid)
        assert await offset_of(alice, path) == len(data)
        await died(
            stage.command("uploads", "purge", "--subject", "alice", "--yes", crash_at="").pid
        )
        stage.worker()
        await all_carried_out(stage)
        assert (await patch(alice, path, len(data), b"", last=True)).status in {404, 410}
    assert await stage.left(keys.SESSIONS) == await stage.left(keys.TAILS) == []
    assert await stage.open_multiparts() == await stage.left(keys.INCOMING) == []
    async for info in stage.backends.store.list(""):
        content = (await stage.backends.store.get(info.key)).content
        assert b"alice" not in content
        assert PATH.encode() not in content


PICTURE = "/v1/users/2/display-picture"


@pytest.mark.slow
@pytest.mark.parametrize("point", ["removal.ordered", "register.acted"])
async def test_a_replaced_picture_is_removed_although_its_worker_died(
    stage: Stage, point: str
) -> None:
    gateway, first = stage.gateway(), stage.worker()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        before = await client.upload(PICTURE, files.PNG, name=stage.name)
        assert before.status == 200
        os.kill(first.pid, signal.SIGTERM)
        await died(first.pid)
        dying = stage.worker(point)
        after = await client.upload(
            PICTURE, files.PNG, name=stage.name, headers={"Prefer": "respond-async"}
        )
        await died(dying.pid)
        assert before.upload_id in await stage.left(keys.INCOMING)
        await stage.take_up()
        assert (await client.resource(after.upload_id))["state"] == "registered"
        stage.worker()
        await all_carried_out(stage)
        assert await stage.left(keys.INCOMING) == [after.upload_id]
        assert (await client.resource(before.upload_id))["removedFor"] == "picture"


async def is_past_its_time(stage: Stage) -> None:
    """As if the time of all marks had come."""
    async for info in stage.backends.store.list(keys.EXPIRIES):
        await stage.backends.store.put(keys.expiry(1, keys.id_of(info.key)), b"")
        await stage.backends.store.delete(info.key)


@pytest.fixture
def _routes(lonely_environ: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "routes.toml"
    config.write_text(f'[[routes]]\npath = "{PATH}"\nfile_retention = 3600\n')
    lonely_environ["GATEWAY_CONFIG"] = str(config)


@pytest.mark.slow
@pytest.mark.usefixtures("_routes")
@pytest.mark.parametrize("point", ["end.expiry-marked", "", "removal.recorded"])
async def test_a_file_is_removed_when_its_route_says(stage: Stage, point: str) -> None:
    gateway, worker = stage.gateway(), stage.worker(point)
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        aged = await client.upload(
            PATH, files.PNG, name=stage.name, headers={"Prefer": "respond-async"}
        )
        if point == "end.expiry-marked":
            await died(worker.pid)
            await stage.take_up()
            worker = stage.worker()
        kept = await client.upload(PICTURE, files.PNG, name=stage.name)
        resource = await client.end_of(aged.upload_id)
        (mark,) = [info.key async for info in stage.backends.store.list(keys.EXPIRIES)]
        taken = datetime.fromisoformat(resource["history"][1]["at"]).timestamp()
        assert mark == keys.expiry(taken + 3600, aged.upload_id)
        await sweep_later(stage.backends, 0.0)  # its time has not come
        assert sorted(await stage.left(keys.INCOMING)) == [aged.upload_id, kept.upload_id]
        await is_past_its_time(stage)
        if not point:  # a sweeper that died between order and mark has left both
            order = Order(upload_id=aged.upload_id, cause=Cause.RETENTION)
            await Removals(stage.backends.store).place(order)
        await sweep_later(stage.backends, 0.0)
        if point == "removal.recorded":
            await died(worker.pid)
            stage.worker()
        await all_carried_out(stage)
        assert (await client.resource(aged.upload_id))["removedFor"] == "retention"
        assert (await client.request("GET", resource["url"])).status == 410
    assert await stage.left(keys.INCOMING) == [kept.upload_id]
    assert await stage.left(keys.EXPIRIES) == []
    assert len(await stage.messages()) == 1  # the message stays


@pytest.mark.slow
@pytest.mark.usefixtures("_routes")
async def test_the_mark_of_a_file_that_is_removed_early_is_removed(stage: Stage) -> None:
    gateway, _ = stage.gateway(), stage.worker()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        deleted, purged = [await client.upload(PATH, files.PNG, name=stage.name) for _ in range(2)]
        assert len(await stage.left(keys.EXPIRIES)) == 2
        path = f"/v1/messages/{deleted.json()['id']}"
        assert (await client.request("DELETE", path)).status == 200
        await all_carried_out(stage)
        assert await stage.left(keys.EXPIRIES) == [purged.upload_id]
    await died(stage.command("uploads", "purge", "--subject", "alice", "--yes", crash_at="").pid)
    await all_carried_out(stage)
    assert await stage.left(keys.EXPIRIES) == []


@pytest.mark.slow
async def test_a_pending_upload_is_cancelled_by_its_subject_alone(stage: Stage) -> None:
    gateway = stage.gateway()
    soon = {"Prefer": "respond-async"}
    async with Client.open(gateway.url, TOKENS["alice"]) as alice:
        bob = alice.as_another(TOKENS["bob"])
        waiting = await alice.upload(PATH, files.PNG, name=stage.name, headers=soon)
        path = f"/gateway/uploads/{waiting.upload_id}"
        assert (await bob.request("DELETE", path)).status == 404
        assert (await alice.request("DELETE", path)).status == 202
        assert len(await stage.left(keys.REMOVALS)) == 1
        await stage.backends.redis.delete(Step.INSPECT)  # that task comes later than the order's
        worker = stage.worker()
        await all_carried_out(stage)
        ended = await alice.resource(waiting.upload_id)
        assert (ended["state"], ended["problem"]["type"][-9:]) == ("failed", "cancelled")
        assert await stage.messages() == []
        assert await stage.left(keys.INCOMING) == await stage.left(keys.PENDING) == []
        assert (await bob.request("DELETE", path)).status == 404
        assert (await alice.request("DELETE", path)).status in {202, 204}
        await all_carried_out(stage)
        os.kill(worker.pid, signal.SIGTERM)
        await died(worker.pid)
        held_up = stage.worker(stop_at="register.claimed")
        working = await alice.upload(PATH, files.PNG, name=stage.name, headers=soon)
        await stopped(held_up.pid)
        path = f"/gateway/uploads/{working.upload_id}"
        assert (await bob.request("DELETE", path)).status == 404
        refused = await alice.request("DELETE", path)
        assert (refused.status, refused.json()["type"][-13:]) == (409, "not-removable")
        os.kill(held_up.pid, signal.SIGCONT)
        assert (await alice.end_of(working.upload_id))["state"] == "registered"
        assert (await alice.request("DELETE", path)).status == 202
        await all_carried_out(stage)
        assert (await alice.resource(working.upload_id))["removedFor"] == "subject"
        assert (await alice.request("DELETE", path)).status == 204


@pytest.mark.slow
async def test_an_upload_that_is_being_received_is_not_cancelled(stage: Stage) -> None:
    gateway = stage.gateway(stop_at="external.stored")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        sending = asyncio.create_task(client.upload(PATH, files.PNG, name=stage.name))
        await stopped(gateway.pid)
        (upload_id,) = await stage.left(keys.INCOMING)
        other = stage.gateway()
        path = f"{other.url}/gateway/uploads/{upload_id}"
        assert (await client.request("DELETE", path)).status == 404
        assert await stage.left(keys.REMOVALS) == []
        os.kill(gateway.pid, signal.SIGCONT)
        stage.worker()
        answer = await sending
        assert (answer.status, answer.upload_id) == (200, upload_id)


@pytest.mark.slow
async def test_only_files_of_deleted_messages_are_removed(
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
        for _ in range(4):  # each with what it is processing
            await asyncio.sleep(1)
            os.kill(workers.pop(0).pid, signal.SIGKILL)
            workers.append(stage.worker())
        await deleting
    kept = {upload_id for upload_id, _ in sent[MESSAGES:]}
    async with asyncio.timeout(WITHIN):
        # An order is removed after the file that it names.
        while set(await stage.left(keys.INCOMING)) != kept or await stage.left(keys.REMOVALS):
            await asyncio.sleep(5)
            await sweep_later(stage.backends, 0.0)
