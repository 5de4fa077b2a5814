"""Clients learn of changes to an upload, by long polls and by server-sent events."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from bench.listening import vanish
from gateway.uploads.ids import new_id
from tests.flows.client import PATIENCE, Answer, Client
from tests.flows.raw import head
from tests.flows.scripted import AUTHORIZATION
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.metrics import scrape, until
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox

pytestmark = pytest.mark.usefixtures("everything")

PATH = f"/v1/channels/{CHANNEL}/messages"
AT_ONCE = {"Prefer": "respond-async"}


class Event(NamedTuple):
    """One event."""

    id: str
    kind: str
    data: Any


@asynccontextmanager
async def stream(
    client: Client, path: str, last: str | None = None
) -> AsyncIterator[AsyncIterator[Event]]:
    """The events of an open stream, which end when the gateway ends it."""
    headers = {"Authorization": f"Bearer {client.token}"}
    if last is not None:
        headers["Last-Event-ID"] = last
    async with (
        asyncio.timeout(PATIENCE),
        client.session.get(client.url + path, headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert await answer.content.readline() == b"retry: 3000\n"
        assert await answer.content.readline() == b"\n"

        async def events() -> AsyncIterator[Event]:
            fields: dict[str, str] = {}
            async for line in answer.content:
                name, _, value = line.decode().removesuffix("\n").partition(": ")
                if name and not line.startswith(b":"):
                    fields[name] = value
                elif fields:
                    yield Event(fields["id"], fields["event"], json.loads(fields["data"]))
                    fields = {}

        yield events()


async def held_up(client: Client, sandbox: Sandbox) -> str:
    """The id of an upload that ChatKitty registers only after a while."""
    await sandbox.fault("POST", f"*{CHANNEL}/messages", delay=2.0)
    answer = await client.upload(PATH, os.urandom(100), headers=AT_ONCE)
    assert answer.status == 202, answer.body
    return answer.upload_id


async def seen(client: Client, upload_id: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.request("GET", f"/gateway/uploads/{upload_id}", headers=named)


async def test_nginx_is_asked_to_hold_no_event_back(external: Client) -> None:
    headers = {"Authorization": f"Bearer {external.token}"}
    async with external.session.get(f"{external.url}/gateway/events", headers=headers) as answer:
        assert answer.headers["X-Accel-Buffering"] == "no"


async def test_a_poll_answers_with_each_version_once(external: Client, sandbox: Sandbox) -> None:
    upload_id = await held_up(external, sandbox)
    answer = await seen(external, upload_id)
    states = []
    async with asyncio.timeout(PATIENCE):
        while True:
            states.append(answer.json()["state"])
            assert answer.headers["ETag"] == f'"{len(answer.json()["history"])}"'
            if states[-1] == "registered":
                break
            known = answer.headers["ETag"]
            answer = await seen(external, upload_id, If_None_Match=known, Prefer="wait=25")
            assert (answer.status, answer.headers["Preference-Applied"]) == (200, "wait=25")
    assert len(set(states)) == len(states)


async def test_a_poll_of_what_does_not_change_ends_with_304(external: Client) -> None:
    uploaded = await external.upload(PATH, b"poll")
    etag = (await seen(external, uploaded.upload_id)).headers["ETag"]
    at_once = await seen(external, uploaded.upload_id, If_None_Match=etag)
    assert (at_once.status, at_once.body) == (304, b"")
    assert "Preference-Applied" not in at_once.headers
    waited = await seen(external, uploaded.upload_id, If_None_Match=f'"x", {etag}', Prefer="wait=1")
    assert (waited.status, waited.headers["Preference-Applied"]) == (304, "wait=1")
    assert waited.headers["ETag"] == etag
    other = await seen(external, uploaded.upload_id, If_None_Match='"99"', Prefer="wait=25")
    assert other.status == 200
    unknown = await seen(external, new_id(), If_None_Match=etag, Prefer="wait=25")
    assert unknown.status == 404


async def test_a_poll_learns_of_the_audit_of_a_relay(fast_relay: Client) -> None:
    uploaded = await fast_relay.upload(PATH, b"relayed")
    answer = await seen(fast_relay, uploaded.upload_id)
    async with asyncio.timeout(PATIENCE):
        while answer.json()["state"] == "relayed":
            etag = answer.headers["ETag"]
            answer = await seen(
                fast_relay, uploaded.upload_id, If_None_Match=etag, Prefer="wait=25"
            )
    assert (answer.status, answer.json()["state"]) == (200, "audited")


async def test_a_stream_has_each_state_and_an_end(external: Client, sandbox: Sandbox) -> None:
    upload_id = await held_up(external, sandbox)
    path = f"/gateway/uploads/{upload_id}/events"
    async with stream(external, path) as events:
        told = [event async for event in events]
    *states, end = told
    assert end.kind == "end"
    assert end.data == {"id": upload_id, "state": "registered"}
    assert {event.kind for event in states} == {"state"}
    assert states[-1].data["state"] == "registered"
    lengths = [int(event.id) for event in states]
    assert lengths == sorted(set(lengths))
    assert [len(event.data["history"]) for event in states] == lengths
    again = await external.request("GET", path, headers={"Last-Event-ID": end.id})
    assert (again.status, again.body) == (204, b"")
    async with stream(external, path, "1") as events:
        assert [event.kind async for event in events] == ["state", "end"]
    strangers = await external.as_another(TOKENS["bob"]).request("GET", path)
    assert strangers.status == 404
    refused = await external.request("POST", path)
    assert (refused.status, refused.headers["Allow"]) == (405, "GET")


async def test_a_subjects_stream_has_all_of_its_uploads(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(
        delivery="external", auth_static_tokens=f"{os.urandom(4).hex()}:a-new-one,bob:bobs"
    )
    async with Client.open(gateway.url, "a-new-one") as client:
        before = (await client.upload(PATH, b"before")).upload_id
        async with stream(client, "/gateway/events") as events:
            first = (await client.upload(PATH, b"first")).upload_id
            await client.as_another("bobs").upload(PATH, b"bob's")
            last = await until_registered(events, first)
        second = (await client.upload(PATH, b"second")).upload_id
        async with stream(client, "/gateway/events", last) as events:
            assert await until_registered(events, second, never=before)


async def until_registered(
    events: AsyncIterator[Event], upload_id: str, never: str | None = None
) -> str:
    """The id of the event that says so; all events are about uploads of the same subject."""
    async for event in events:
        assert event.kind == "state"
        assert event.id.partition(":")[0] == event.data["id"] != never
        if event.data["id"] == upload_id and event.data["state"] == "registered":
            return event.id
    raise AssertionError("the stream has ended")


async def test_listeners_above_the_limit_are_refused(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(delivery="external", max_listeners="2", max_listeners_per_subject="1")
    async with (
        Client.open(gateway.url, TOKENS["alice"]) as client,
        stream(client, "/gateway/events"),
    ):
        refused = await client.request("GET", "/gateway/events")
        assert (refused.status, "too-many-listeners" in refused.json()["type"]) == (429, True)
        assert "Retry-After" in refused.headers
        async with stream(client.as_another(TOKENS["bob"]), "/gateway/events"):
            uploaded = await client.upload(PATH, b"x")
            etag = (await seen(client, uploaded.upload_id)).headers["ETag"]
            polled = await seen(client, uploaded.upload_id, If_None_Match=etag, Prefer="wait=25")
            assert polled.status in (429, 503)
            version = str(len((await client.end_of(uploaded.upload_id))["history"]))
            path = f"/gateway/uploads/{uploaded.upload_id}/events"
            over = await client.request("GET", path, headers={"Last-Event-ID": version})
            assert (over.status, over.body) == (204, b"")  # it needs no place
            assert (await scrape(gateway.admin_url)).value("listeners", kind="stream") == 2


async def test_drain_ends_streams_and_answers_polls(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(delivery="external", drain_timeout="30")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        uploaded = await client.upload(PATH, b"x")
        etag = (await seen(client, uploaded.upload_id)).headers["ETag"]
        async with stream(client, "/gateway/events") as events:
            waiting = asyncio.create_task(
                seen(client, uploaded.upload_id, If_None_Match=etag, Prefer="wait=300")
            )
            await until(gateway.admin_url, lambda now: now.value("listeners", kind="poll") == 1)
            os.kill(gateway.pid, signal.SIGTERM)
            async with asyncio.timeout(PATIENCE):
                assert (await waiting).status == 304
                assert [event async for event in events if event.kind == "end"] == []


@contextmanager
def deaf(gateway: Gateway, path: str) -> Iterator[socket.socket]:
    """A client that asks for something, and reads nothing of it."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        connection.connect((urlsplit(gateway.url).hostname, gateway.port))
        connection.sendall(head(path, AUTHORIZATION, method="GET"))
        yield connection


async def test_a_client_that_reads_nothing_is_cut_off_and_holds_up_no_other(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(delivery="external", answer_timeout="1")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        with deaf(gateway, "/gateway/events"):
            async with stream(client, "/gateway/events") as events:
                await until(
                    gateway.admin_url, lambda now: now.value("listeners", kind="stream") == 2
                )
                for _ in range(20):  # far less than what a kernel would keep for that client
                    uploaded = await client.upload(PATH, b"x", name=f"{'x' * 200}.bin")
                    await until_registered(events, uploaded.upload_id)
                while b"did not read its answer" not in gateway.log.read_bytes():
                    await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel drops packets by a filter of Linux")
async def test_a_client_that_vanished_is_not_counted_for_long(start_gateway: StartGateway) -> None:
    """Nothing that is sent to it is acknowledged, as if its network was gone."""
    gateway = start_gateway(delivery="external", answer_timeout="1")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        with deaf(gateway, "/gateway/events") as connection:
            await until(gateway.admin_url, lambda now: now.value("listeners", kind="stream") == 1)
            vanish(connection)
            await client.upload(PATH, b"x")
            await until(gateway.admin_url, lambda now: now.value("listeners", kind="stream") == 0)


@pytest.mark.slow
async def test_a_waiting_client_gets_its_answer_without_redis(
    start_gateway: StartGateway, sandbox: Sandbox
) -> None:
    """The gateway has another Redis than the worker, so it gets no notices."""
    with_worker = start_gateway(delivery="external")
    deaf = start_gateway(delivery="external", redis_url="redis://127.0.0.1:9/0")
    async with Client.open(with_worker.url, TOKENS["alice"]) as client:
        upload_id = await held_up(client, sandbox)
        elsewhere = Client(client.session, deaf.url, client.token)
        async with stream(elsewhere, f"/gateway/uploads/{upload_id}/events") as events:
            assert [event.data["state"] async for event in events][-1] == "registered"
