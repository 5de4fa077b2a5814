"""Whole files; an interim response says where their clients can resume (iOS upload tasks)."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any, Final

import pytest

from tests.flows.client import Answer, Client
from tests.flows.upload_tasks import CONTENT, HALF, INTERIM, TASKS, begun, spoken
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS, Sandbox

pytestmark = pytest.mark.usefixtures("everything")

_PATIENCE: Final = 20.0
VERSIONS: Final = pytest.mark.parametrize("version", TASKS)
_WHOLE: Final = {"3": ("Upload-Incomplete", "?0")}


@pytest.fixture
async def client(start_gateway: StartGateway) -> AsyncIterator[Client]:
    gateway = start_gateway(delivery="external", interim_responses="true")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        yield client


async def go_on(client: Client, place: str, version: str) -> Answer:
    """What the operating system does once its connection broke."""
    said = {"Upload-Draft-Interop-Version": version}
    state = await client.request("HEAD", place, headers=said)
    assert state.status == 204, state.headers
    offset = int(state.headers["Upload-Offset"])
    assert offset <= HALF  # less, if this came before the first task's body was read
    field, _, value = TASKS[version][0].partition(": ")
    part = {"Content-Type": "application/partial-upload", "Upload-Offset": str(offset)}
    rest = {**said, **part, field: value}
    return await client.request("PATCH", place, data=BytesIO(CONTENT[offset:]), headers=rest)


async def assert_is_the_file(client: Client, message: Any) -> None:
    assert (message["file"]["name"], message["groupTag"]) == ("clip.mp4", "cats")
    served = await client.request("GET", message["file"]["url"])
    assert hashlib.sha256(served.body).hexdigest() == hashlib.sha256(CONTENT).hexdigest()


@VERSIONS
async def test_a_task_that_is_cut_goes_on(client: Client, sandbox: Sandbox, version: str) -> None:
    channel = await sandbox.new_channel()
    async with begun(client, channel, spoken(version), *TASKS[version]) as task:
        status, promise = await task.head()
        assert (status, promise["Upload-Draft-Interop-Version"]) == (INTERIM, version)
        assert ("Upload-Limit" in promise) == (int(version) > 5)
        await task.send(CONTENT[:HALF])
    answer = await go_on(client, promise["Location"], version)
    assert answer.status == 200, answer.body
    assert [answer.json()] == await sandbox.messages(f"channels/{channel}")
    await assert_is_the_file(client, answer.json())


@VERSIONS
async def test_a_task_that_is_not_cut_is_answered(
    client: Client, sandbox: Sandbox, version: str
) -> None:
    channel = await sandbox.new_channel()
    lines = (spoken(version), "Expect: 100-continue", *TASKS[version])
    async with begun(client, channel, *lines) as task:
        assert (await task.head())[0] == INTERIM
        assert (await task.head())[0] == "HTTP/1.1 100 Continue"
        await task.send(CONTENT)
        status, fields, message = await task.answer()
    assert status == "HTTP/1.1 200 OK"
    name, value = _WHOLE.get(version, ("Upload-Complete", "?1"))
    assert fields[name] == value
    assert [message] == await sandbox.messages(f"channels/{channel}")
    await assert_is_the_file(client, message)


async def test_a_gateway_that_gives_up_waiting_cuts_the_connection(
    start_gateway: StartGateway, client: Client, sandbox: Sandbox
) -> None:
    settings = {"delivery": "external", "interim_responses": "true", "body_timeout": "3"}
    async with (
        Client.open(start_gateway(**settings).url, client.token) as impatient,
        begun(impatient, await sandbox.new_channel(), spoken("8"), *TASKS["8"]) as task,
    ):
        _, promise = await task.head()
        await task.send(CONTENT[:HALF])
        async with asyncio.timeout(_PATIENCE):
            assert await task.reader.read() == b""
    answer = await go_on(client, promise["Location"], "8")
    assert answer.status == 200, answer.body


async def test_a_repeated_task_sends_one_message(client: Client, sandbox: Sandbox) -> None:
    """An app that does not know what its operating system does sends the file again."""
    channel = await sandbox.new_channel()
    lines = (spoken("8"), "Idempotency-Key: one", *TASKS["8"])
    async with begun(client, channel, *lines) as first:
        _, promise = await first.head()
        await first.send(CONTENT[:HALF])
    async with begun(client, channel, *lines) as again:
        assert (await again.head())[0] == INTERIM
        await again.send(CONTENT)
        status, _, message = await again.answer()
    assert status == "HTTP/1.1 200 OK"
    late = await client.request("HEAD", promise["Location"])
    assert late.status == 410, late.headers
    async with begun(client, channel, *lines) as third:
        _, fields, repeated = await third.answer()
        assert (repeated, fields["Upload-Complete"]) == (message, "?1")
    assert [message] == await sandbox.messages(f"channels/{channel}")


@pytest.mark.parametrize(
    "lines",
    [
        ("Upload-Complete: ?1",),
        (spoken("2"), "Upload-Complete: ?1"),
        (spoken("9"), "Upload-Complete: ?1"),
    ],
)
async def test_a_client_of_an_unknown_version_gets_no_interim_response(
    client: Client, sandbox: Sandbox, lines: tuple[str, ...]
) -> None:
    async with begun(client, await sandbox.new_channel(), *lines) as task:
        await task.send(CONTENT)
        assert (await task.answer())[0] == "HTTP/1.1 200 OK"


async def test_small_files_get_no_interim_response(client: Client, sandbox: Sandbox) -> None:
    lines = (spoken("8"), "Upload-Complete: ?1")
    async with begun(client, await sandbox.new_channel(), *lines, size=1000) as task:
        await task.send(CONTENT[:1000])
        assert (await task.answer())[0] == "HTTP/1.1 200 OK"


async def test_there_is_no_interim_response_by_default(
    external_gateway: Gateway, sandbox: Sandbox
) -> None:
    lines = (spoken("8"), *TASKS["8"])
    async with (
        Client.open(external_gateway.url, TOKENS["alice"]) as client,
        begun(client, await sandbox.new_channel(), *lines) as task,
    ):
        await task.send(CONTENT)
        assert (await task.answer())[0] == "HTTP/1.1 200 OK"
