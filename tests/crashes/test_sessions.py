"""Uploads in several requests: a process dies at each step, and another one continues."""

import asyncio
import os
import signal
from functools import partial
from io import BytesIO
from itertools import pairwise
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.records.bucket import OVERDUE
from gateway.uploads import keys
from gateway.uploads.record import State
from tests.crashes.conftest import PATH, Stage, died, stopped
from tests.flows import files
from tests.flows.client import PATIENCE, Answer, Client
from tests.flows.resuming import begin, create, offset_of, patch, tus_patch
from tests.servers.aged_store import sweep_later
from tests.servers.sandbox import TOKENS

MIB = 1024**2
SMALL = files.PNG.ljust(300_000, b"\1")
LARGE = files.PNG.ljust(21 * MIB, b"\2")
DAYS = 200_000.0


@pytest.fixture(autouse=True)
def _external(lonely_environ: dict[str, str]) -> None:
    lonely_environ["GATEWAY_DELIVERY"] = "external"


async def sent_in_vain(client: Client, path: str, offset: int, data: bytes, *, last: bool) -> None:
    with pytest.raises(aiohttp.ClientError):
        await patch(client, path, offset, data, last=last)


async def ended(stage: Stage, upload_id: str) -> None:
    """Wait for the end of an upload that a sweeper has found."""
    await sweep_later(stage.backends, 60.0)
    async with asyncio.timeout(PATIENCE):
        while await stage.backends.ledger.ended(upload_id) is None:
            await asyncio.sleep(0.05)


async def nothing_is_left_but_the_file(stage: Stage, data: bytes) -> None:
    """Have sweepers remove what a process wrote that died or was too late."""
    (message,) = await stage.messages()
    assert message["file"]["size"] == len(data)
    await stage.forget_presence()
    await sweep_later(stage.backends, 7200.0)
    (upload_id,) = await stage.left(keys.INCOMING)
    store = stage.backends.store
    assert await store.read_range(keys.incoming(upload_id), 0, len(data) + 1) == data
    for prefix in (keys.SESSIONS, keys.TAILS, keys.PENDING):
        assert await stage.left(prefix) == []
    assert await stage.open_multiparts() == []


async def test_a_session_unknown_to_its_client_expires(stage: Stage) -> None:
    gateway = stage.gateway("session.created")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        with pytest.raises(aiohttp.ClientError):
            await begin(client, name=stage.name)
    await died(gateway.pid)
    (upload_id,) = await stage.left(keys.SESSIONS)
    await sweep_later(stage.backends, 3600.0)
    assert await stage.left(keys.SESSIONS) == [upload_id]
    await sweep_later(stage.backends, DAYS)
    assert await stage.left(keys.SESSIONS) == []
    expired = await stage.backends.ledger.ended(upload_id)
    assert expired is not None
    assert expired.state is State.ABORTED
    async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
        answer = await client.request("HEAD", f"/gateway/uploads/{upload_id}")
        assert answer.status == 410


@pytest.mark.parametrize(("point", "data"), [("session.part", LARGE), ("session.tail", SMALL)])
async def test_uncommitted_bytes_are_sent_again(stage: Stage, point: str, data: bytes) -> None:
    gateway, other = stage.gateway(point), stage.gateway()
    stage.worker()
    async with (
        Client.open(gateway.url, TOKENS["alice"]) as client,
        Client.open(other.url, TOKENS["alice"]) as second,
    ):
        begun = await begin(client, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        await sent_in_vain(client, path, 0, data, last=True)
        await died(gateway.pid)
        offset = await offset_of(second, path)
        assert offset == 0
        answer = await patch(second, path, offset, data, last=True)
        assert answer.status == 200, answer.body
    await nothing_is_left_but_the_file(stage, data)


@pytest.mark.parametrize("point", ["session.complete", "session.assembled", "external.accepted"])
@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_a_complete_upload_is_registered_whichever_process_dies(
    stage: Stage, point: str, data: bytes
) -> None:
    gateway = stage.gateway(point)
    half = len(data) // 2
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        begun = await begin(client, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        assert (await patch(client, path, 0, data[:half], last=False)).status == 204
        await sent_in_vain(client, path, half, data[half:], last=True)
    await died(gateway.pid)
    assert await stage.messages() == []
    stage.worker()
    await ended(stage, begun.upload_id)
    await sweep_later(stage.backends, 60.0)
    await nothing_is_left_but_the_file(stage, data)
    async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
        assert await offset_of(client, path) == len(data)


async def test_a_repeated_request_finishes_what_another_gateway_left(stage: Stage) -> None:
    gateway = stage.gateway("session.complete")
    stage.worker()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        begun = await begin(client, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        await sent_in_vain(client, path, 0, SMALL, last=True)
    await died(gateway.pid)
    async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
        assert await offset_of(client, path) == len(SMALL)
        answer = await patch(client, path, len(SMALL), b"", last=True)
        assert answer.status in {200, 202}
        assert (await client.end_of(begun.upload_id))["state"] == "registered"
    await nothing_is_left_but_the_file(stage, SMALL)


@pytest.mark.parametrize(("point", "data"), [("session.part", LARGE), ("session.tail", SMALL)])
async def test_a_suspended_request_no_longer_changes_anything(
    stage: Stage, point: str, data: bytes
) -> None:
    frozen, other = stage.gateway(stop_at=point), stage.gateway()
    stage.worker()
    async with (
        Client.open(frozen.url, TOKENS["alice"]) as client,
        Client.open(other.url, TOKENS["alice"]) as second,
    ):
        begun = await begin(client, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        first = asyncio.create_task(patch(client, path, 0, data, last=True))
        await stopped(frozen.pid)
        offset = await offset_of(second, path)
        middle = len(data) // 3
        for start, end in pairwise([offset, middle, len(data)]):
            answer = await patch(second, path, start, data[start:end], last=end == len(data))
        async with asyncio.timeout(PATIENCE):
            while not first.done():  # it stops after each of several parts
                os.kill(frozen.pid, signal.SIGCONT)
                await asyncio.sleep(0.05)
        late = await first
        assert answer.status == 200, answer.body
        assert late.status == 409
    await nothing_is_left_but_the_file(stage, data)


@pytest.mark.parametrize("point", ["session.complete", "session.assembled"])
@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_a_complete_upload_is_registered_once_whichever_process_is_late(
    stage: Stage, point: str, data: bytes
) -> None:
    frozen = stage.gateway(stop_at=point)
    stage.worker()
    async with Client.open(frozen.url, TOKENS["alice"]) as client:
        begun = await begin(client, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        sending = asyncio.create_task(patch(client, path, 0, data, last=True))
        await stopped(frozen.pid)
        await ended(stage, begun.upload_id)
        os.kill(frozen.pid, signal.SIGCONT)
        late = await sending
        assert late.status == 200, late.body
    await nothing_is_left_but_the_file(stage, data)


async def test_a_rejected_upload_stays_rejected_whichever_process_is_late(stage: Stage) -> None:
    frozen = stage.gateway(stop_at="session.complete")
    stage.worker()
    async with Client.open(frozen.url, TOKENS["alice"]) as client:
        begun = await begin(client, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        sending = asyncio.create_task(patch(client, path, 0, files.EXE, last=True))
        await stopped(frozen.pid)
        await ended(stage, begun.upload_id)
        os.kill(frozen.pid, signal.SIGCONT)
        late = await sending
        assert late.status == 422, late.body
        assert late.headers["Upload-Complete"] == "?1"
    assert await stage.messages() == []
    assert await stage.left(keys.INCOMING) == await stage.left(keys.SESSIONS) == []


async def test_a_file_that_comes_after_its_rejection_is_removed(stage: Stage) -> None:
    stage.worker()
    async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
        begun = await begin(client, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        assert (await patch(client, path, 0, files.EXE, last=True)).status == 422
    await asyncio.sleep(11.0)  # by how much the ages in two listings may differ
    await stage.backends.store.put(keys.incoming(begun.upload_id), files.EXE)
    await sweep_later(stage.backends, 60.0)
    assert await stage.left(keys.INCOMING) == []


async def test_an_upload_continues_although_redis_was_wiped(stage: Stage) -> None:
    gateway, other = stage.gateway(), stage.gateway()
    stage.worker()
    async with (
        Client.open(gateway.url, TOKENS["alice"]) as client,
        Client.open(other.url, TOKENS["alice"]) as second,
    ):
        begun = await begin(client, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        await patch(client, path, 0, LARGE[: 9 * MIB], last=False)
        await stage.backends.redis.flushdb()
        await sweep_later(stage.backends, 3600.0)
        offset = await offset_of(second, path)
        assert offset == 9 * MIB
        answer = await patch(second, path, offset, LARGE[offset:], last=True)
        assert answer.status in {200, 202}, answer.body
        assert (await second.end_of(begun.upload_id))["state"] == "registered"
    await nothing_is_left_but_the_file(stage, LARGE)


async def test_a_tus_upload_is_registered_after_its_gateway_died(stage: Stage) -> None:
    gateway = stage.gateway("session.complete")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        begun = await create(client, {"Upload-Length": str(len(SMALL))}, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        with pytest.raises(aiohttp.ClientError):
            await tus_patch(client, path, 0, SMALL)
    await died(gateway.pid)
    stage.worker()
    await ended(stage, begun.upload_id)
    await nothing_is_left_but_the_file(stage, SMALL)


async def test_an_upload_begins_again_after_the_store_lost_its_parts(stage: Stage) -> None:
    async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
        begun = await begin(client, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        await patch(client, path, 0, LARGE[: 9 * MIB], last=False)
        store = stage.backends.store
        async for upload in store.list_multipart_uploads(keys.INCOMING):
            await store.abort_multipart(upload.key, upload.upload_id)
        assert (await patch(client, path, 9 * MIB, LARGE[9 * MIB :], last=True)).status == 410
        assert (await client.request("HEAD", path)).status == 410
    assert await stage.left(keys.SESSIONS) == await stage.left(keys.TAILS) == []


@pytest.mark.parametrize("found", [None, bytes(1000)], ids=["nothing", "other bytes"])
async def test_an_upload_begins_again_after_the_store_lost_its_tail(
    stage: Stage, found: bytes | None
) -> None:
    store = stage.backends.store
    async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
        begun = await begin(client, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        await patch(client, path, 0, LARGE[:1000], last=False)
        (tail,) = [info.key async for info in store.list(keys.tails(begun.upload_id))]
        if found is None:
            await store.delete(tail)
        else:
            await store.put(tail, found)
        assert (await patch(client, path, 1000, LARGE[1000:], last=True)).status == 410
        assert (await client.request("HEAD", path)).status == 410
    assert await stage.left(keys.SESSIONS) == await stage.left(keys.TAILS) == []


async def test_a_sweeper_leaves_open_sessions_and_their_parts_alone(stage: Stage) -> None:
    gateway = stage.gateway()
    stage.worker()
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        begun = await begin(client, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        await patch(client, path, 0, LARGE[: 9 * MIB], last=False)
        await stage.forget_presence()
        await sweep_later(stage.backends, 7200.0)
        await sweep_later(stage.backends, 7200.0)
        answer = await patch(client, path, 9 * MIB, LARGE[9 * MIB :], last=True)
        assert answer.status == 200, answer.body
    await nothing_is_left_but_the_file(stage, LARGE)


@pytest.mark.parametrize("way", ["raw", "form"])
async def test_a_key_stands_for_a_complete_upload_whichever_way_it_is_sent_again(
    stage: Stage, way: str
) -> None:
    gateway, other = stage.gateway("session.complete"), stage.gateway()
    stage.worker()
    headers = {"Idempotency-Key": "one"}
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        begun = await begin(client, headers, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        await sent_in_vain(client, path, 0, SMALL, last=True)
    await died(gateway.pid)
    async with Client.open(other.url, TOKENS["alice"]) as client:
        again = await sent_whole(client, headers, way=way, name=stage.name)
        assert (again.status, again.upload_id) == (200, begun.upload_id), again.body
        assert await offset_of(client, path) == len(SMALL)
    await nothing_is_left_but_the_file(stage, SMALL)


@pytest.mark.parametrize("way", ["raw", "form"])
async def test_a_whole_file_takes_over_the_key_of_a_part(stage: Stage, way: str) -> None:
    stage.worker()
    headers = {"Idempotency-Key": "one"}
    async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
        begun = await begin(client, headers, name=stage.name)
        path = urlsplit(begun.headers["Location"]).path
        assert (await patch(client, path, 0, SMALL[:1000], last=False)).status == 204
        again = await sent_whole(client, headers, way=way, name=stage.name)
        assert again.status == 200, again.body
        late = await patch(client, path, 1000, SMALL[1000:], last=True)
        assert late.status == 410, late.body
    await nothing_is_left_but_the_file(stage, SMALL)


async def test_a_key_that_a_whole_file_has_begins_no_session(stage: Stage) -> None:
    frozen, other = stage.gateway(stop_at="external.stored"), stage.gateway()
    stage.worker()
    headers = {"Idempotency-Key": "one"}
    async with (
        Client.open(frozen.url, TOKENS["alice"]) as client,
        Client.open(other.url, TOKENS["alice"]) as second,
    ):
        sending = asyncio.create_task(sent_whole(client, headers, way="raw", name=stage.name))
        await stopped(frozen.pid)
        begun = await second.request(
            "POST", f"/gateway/raw{PATH}", headers=headers | {"Upload-Complete": "?0"}
        )
        os.kill(frozen.pid, signal.SIGCONT)
        whole = await sending
        assert (whole.status, begun.status) == (200, 201), whole.body
        assert whole.upload_id == begun.upload_id
    await nothing_is_left_but_the_file(stage, SMALL)


async def sent_by_draft(client: Client, headers: dict[str, str], *, name: str) -> Answer:
    begun = await begin(client, headers, name=name)
    path = urlsplit(begun.headers["Location"]).path
    assert (await patch(client, path, 0, SMALL[:1000], last=False)).status == 204
    return await patch(client, path, 1000, SMALL[1000:], last=True)


async def sent_by_tus(client: Client, headers: dict[str, str], *, name: str) -> Answer:
    begun = await create(client, headers | {"Upload-Length": str(len(SMALL))}, name=name)
    path = urlsplit(begun.headers["Location"]).path
    assert (await tus_patch(client, path, 0, SMALL[:1000])).status == 204
    return await tus_patch(client, path, 1000, SMALL[1000:])


async def test_answered_uploads_are_registered_within_a_minute(stage: Stage) -> None:
    """By the real clock: gateways are killed at the last answer, and Redis loses all tasks."""
    at_once = {"Prefer": "respond-async"}
    answers: list[Answer] = []
    for send in (partial(sent_whole, way="raw"), sent_by_draft, sent_by_tus):
        gateway = stage.gateway()
        async with Client.open(gateway.url, TOKENS["alice"]) as client:
            answers.append(await send(client, headers=at_once, name=stage.name))
            os.kill(gateway.pid, signal.SIGKILL)
        await died(gateway.pid)
    assert [answer.status for answer in answers] == [202, 202, 204]
    await stage.backends.redis.flushdb()
    stage.worker()
    async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
        for answer in answers:
            assert await offset_of(client, f"/gateway/uploads/{answer.upload_id}") == len(SMALL)
    for seconds in (OVERDUE - 1.0, stage.backends.settings.sweep_interval):  # the worst moments
        await asyncio.sleep(seconds)
        await sweep_later(stage.backends, 0.0)
    async with asyncio.timeout(PATIENCE):
        while len(await stage.left(keys.RECORDS)) < len(answers):
            await asyncio.sleep(0.05)
    ends = [await stage.backends.ledger.ended(answer.upload_id) for answer in answers]
    assert [end.state for end in ends if end is not None] == [State.REGISTERED] * len(answers)
    assert len(await stage.messages()) == len(answers)


async def sent_whole(client: Client, headers: dict[str, str], *, way: str, name: str) -> Answer:
    if way == "form":
        return await client.upload(PATH, SMALL, name=name, headers=headers)
    own = {"Content-Type": "image/png", "Content-Disposition": f'inline; filename="{name}"'}
    return await client.request(
        "PUT", f"/gateway/raw{PATH}", data=BytesIO(SMALL), headers=headers | own
    )
