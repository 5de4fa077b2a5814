"""Forms in several requests: a process dies at each step, and another one continues."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from io import BytesIO
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.uploads import keys
from gateway.uploads.record import State
from tests.crashes.conftest import PATH, Stage, died, stopped
from tests.crashes.test_sessions import (
    DAYS,
    LARGE,
    MIB,
    SMALL,
    ended,
    nothing_is_left_but_the_file,
    sent_in_vain,
)
from tests.flows.client import Client
from tests.flows.resuming import DRAFT, FORM_TYPE, begin_form, form_of, offset_of, patch
from tests.flows.upload_tasks import begun_at, spoken
from tests.servers.aged_store import sweep_later
from tests.servers.sandbox import TOKENS


@pytest.fixture(autouse=True)
def _external(lonely_environ: dict[str, str]) -> None:
    lonely_environ["GATEWAY_DELIVERY"] = "external"


async def begun(client: Client, data: bytes = b"") -> str:
    answer = await begin_form(client, data=data)
    return urlsplit(answer.headers["Location"]).path


async def test_a_session_unknown_to_its_client_expires(stage: Stage) -> None:
    gateway = stage.gateway("session.created")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        with pytest.raises(aiohttp.ClientError):
            await begin_form(client)
    await died(gateway.pid)
    (upload_id,) = await stage.left(keys.SESSIONS)
    await sweep_later(stage.backends, DAYS)
    assert await stage.left(keys.SESSIONS) == []
    expired = await stage.backends.ledger.ended(upload_id)
    assert expired is not None
    assert expired.state is State.ABORTED


@pytest.mark.parametrize(("point", "data"), [("session.part", LARGE), ("session.tail", SMALL)])
@pytest.mark.parametrize("before", ["nothing", "half of a head", "a piece of the file"])
async def test_uncommitted_bytes_are_sent_again(
    stage: Stage, point: str, data: bytes, before: str
) -> None:
    body = form_of(data, name=stage.name)
    start = body.index(data)
    first = {"nothing": 0, "half of a head": start - 20, "a piece of the file": start + 7}[before]
    gateway, other = stage.gateway(point), stage.gateway()
    stage.worker()
    async with (
        Client.open(gateway.url, TOKENS["alice"]) as client,
        Client.open(other.url, TOKENS["alice"]) as second,
    ):
        path = await begun(second, body[:first])
        await sent_in_vain(client, path, first, body[first:], last=True)
        await died(gateway.pid)
        assert await offset_of(second, path) == first
        answer = await patch(second, path, first, body[first:], last=True)
        assert answer.status == 200, answer.body
    await nothing_is_left_but_the_file(stage, data)


@pytest.mark.parametrize("point", ["session.complete", "session.assembled", "external.accepted"])
@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_a_complete_form_is_registered_whichever_process_dies(
    stage: Stage, point: str, data: bytes
) -> None:
    body = form_of(data, name=stage.name)
    last = body.index(data) + len(data) + 30  # in the field behind the file
    gateway = stage.gateway(point)
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        path = await begun(client, body[:last])
        await sent_in_vain(client, path, last, body[last:], last=True)
    await died(gateway.pid)
    assert await stage.messages() == []
    stage.worker()
    await ended(stage, path.rpartition("/")[2])
    await sweep_later(stage.backends, 60.0)
    (message,) = await stage.messages()
    assert message["groupTag"] == "cats"
    await nothing_is_left_but_the_file(stage, data)
    async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
        assert await offset_of(client, path) == len(body)
        again = await patch(client, path, len(body), b"", last=True)
        assert again.status == 200, again.body


@pytest.mark.parametrize(("point", "data"), [("session.part", LARGE), ("session.tail", SMALL)])
async def test_a_suspended_request_no_longer_changes_anything(
    stage: Stage, point: str, data: bytes
) -> None:
    body = form_of(data, name=stage.name)
    frozen, other = stage.gateway(stop_at=point), stage.gateway()
    stage.worker()
    async with (
        Client.open(frozen.url, TOKENS["alice"]) as client,
        Client.open(other.url, TOKENS["alice"]) as second,
    ):
        path = await begun(client)
        first = asyncio.create_task(patch(client, path, 0, body, last=True))
        await stopped(frozen.pid)
        assert await offset_of(second, path) == 0
        answer = await patch(second, path, 0, body, last=True)
        async with asyncio.timeout(60.0):
            while not first.done():  # it stops after each of several parts
                os.kill(frozen.pid, signal.SIGCONT)
                await asyncio.sleep(0.05)
        assert answer.status == 200, answer.body
        assert (await first).status == 409
    await nothing_is_left_but_the_file(stage, data)


async def test_a_late_refusal_does_not_end_a_continued_upload(stage: Stage) -> None:
    """A gateway is suspended before it refuses a form, which continues at another gateway."""
    body = form_of(LARGE, name=stage.name)
    bad = body.replace(b'name="properties"', b'name="file"; filename="b"')
    seen = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        for start in range(0, 20 * MIB, MIB):
            yield bad[start : start + MIB]
        await seen.wait()
        yield bad[20 * MIB :]

    frozen, other = stage.gateway(stop_at="session.part"), stage.gateway()
    stage.worker()
    async with (
        Client.open(frozen.url, TOKENS["alice"]) as client,
        Client.open(other.url, TOKENS["alice"]) as second,
    ):
        path = await begun(client)
        own = {"Upload-Offset": "0", "Upload-Complete": "?1"}
        own |= DRAFT | {"Content-Type": "application/partial-upload"}
        first = asyncio.create_task(client.request("PATCH", path, data=slowly(), headers=own))
        await stopped(frozen.pid)
        assert await offset_of(second, path) == 0
        assert (await patch(second, path, 0, body[: 9 * MIB], last=False)).status == 204
        seen.set()
        async with asyncio.timeout(60.0):
            while not first.done():
                os.kill(frozen.pid, signal.SIGCONT)
                await asyncio.sleep(0.05)
        assert (await first).status == 409
        answer = await patch(second, path, 9 * MIB, body[9 * MIB :], last=True)
        assert answer.status == 200, answer.body
    await nothing_is_left_but_the_file(stage, LARGE)


@pytest.mark.parametrize("point", ["session.created", "session.part", "session.complete"])
async def test_an_upload_task_continues_after_its_gateway_was_killed(
    stage: Stage, lonely_environ: dict[str, str], point: str
) -> None:
    lonely_environ["GATEWAY_INTERIM_RESPONSES"] = "true"
    body = form_of(LARGE, name=stage.name)
    gateway, other = stage.gateway(point), stage.gateway()
    stage.worker()
    promised = None
    own = (f"Content-Type: {FORM_TYPE}", f"Content-Length: {len(body)}", "Upload-Complete: ?1")
    async with (
        Client.open(gateway.url, TOKENS["alice"]) as client,
        begun_at(client, PATH, spoken("8"), *own) as task,
    ):
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            promised = (await task.head())[1]["Location"]
            await task.send(body)
            await task.head()
    await died(gateway.pid)
    if promised is None:  # it was killed earlier: its client begins again
        assert point == "session.created"
        async with Client.open(other.url, TOKENS["alice"]) as second:
            whole = await second.request(
                "POST", PATH, data=BytesIO(body), headers={"Content-Type": FORM_TYPE}
            )
            assert whole.status == 200, whole.body
        assert len(await stage.messages()) == 1
        return
    async with Client.open(other.url, TOKENS["alice"]) as second:
        path = urlsplit(promised).path
        offset = await offset_of(second, path)
        assert offset == (len(body) if point == "session.complete" else 0)
        answer = await patch(second, path, offset, body[offset:], last=True)
        assert answer.status in {200, 202}, answer.body
        assert (await second.end_of(answer.upload_id))["state"] == "registered"
    await nothing_is_left_but_the_file(stage, LARGE)
