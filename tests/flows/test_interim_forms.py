"""Forms of iOS upload tasks: an unchanged client goes on where its connection was cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from io import BytesIO
from typing import Final

import pytest

from tests.flows.client import Client
from tests.flows.resuming import FORM_TYPE, form_of
from tests.flows.upload_tasks import CONTENT, INTERIM, Task, begun_at, spoken
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS, Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("everything")]

_PATIENCE: Final = 20.0
FORM: Final = form_of(CONTENT, name="clip.png")
HALF: Final = len(FORM) // 2
TASKS: Final = {
    "3": "Upload-Incomplete: ?0",
    "5": "Upload-Complete: ?1",
    "6": "Upload-Complete: ?1",
    "8": "Upload-Complete: ?1",
}
VERSIONS: Final = pytest.mark.parametrize("version", TASKS)


INTERIM_ON: Final = {"delivery": "external", "interim_responses": "true", "hash": "sha256"}


@pytest.fixture
async def clients(start_gateway: StartGateway) -> AsyncIterator[tuple[Client, Client]]:
    first, second = start_gateway(**INTERIM_ON), start_gateway(**INTERIM_ON)
    async with (
        Client.open(first.url, TOKENS["alice"]) as client,
        Client.open(second.url, TOKENS["alice"]) as other,
    ):
        yield client, other


@pytest.fixture
def client(clients: tuple[Client, Client]) -> Client:
    return clients[0]


def task(
    client: Client, channel: int, *lines: str, body: bytes = FORM
) -> AbstractAsyncContextManager[Task]:
    own = (f"Content-Type: {FORM_TYPE}", f"Content-Length: {len(body)}")
    return begun_at(client, f"/v1/channels/{channel}/messages", *own, *lines)


async def go_on(client: Client, place: str, version: str) -> dict[str, object]:
    """What the operating system does once its connection broke, here at another gateway."""
    said = {"Upload-Draft-Interop-Version": version}
    url = client.url + place[place.index("/gateway/") :]
    state = await client.request("HEAD", url, headers=said)
    assert state.status == 204, state.headers
    offset = int(state.headers["Upload-Offset"])
    assert offset <= HALF  # less, if this came before the first task's body was read
    field, _, value = TASKS[version].partition(": ")
    part = {"Content-Type": "application/partial-upload", "Upload-Offset": str(offset)}
    rest = {**said, **part, field: value}
    answer = await client.request("PATCH", url, data=BytesIO(FORM[offset:]), headers=rest)
    assert answer.status == 200, answer.body
    message: dict[str, object] = answer.json()
    return message


async def assert_is_the_file(client: Client, message: dict[str, object]) -> None:
    file = message["file"]
    assert isinstance(file, dict)
    assert (file["name"], message["groupTag"]) == ("clip.png", "cats")
    served = await client.request("GET", file["url"])
    assert served.body == CONTENT


@VERSIONS
async def test_a_task_that_is_cut_goes_on(
    clients: tuple[Client, Client], sandbox: Sandbox, version: str
) -> None:
    channel = await sandbox.new_channel()
    async with task(clients[0], channel, spoken(version), TASKS[version]) as first:
        status, promise = await first.head()
        assert (status, promise["Upload-Draft-Interop-Version"]) == (INTERIM, version)
        await first.send(FORM[:HALF])
    message = await go_on(clients[1], promise["Location"], version)
    assert [message] == await sandbox.messages(f"channels/{channel}")
    await assert_is_the_file(clients[0], message)


@VERSIONS
async def test_a_task_that_is_not_cut_is_answered(
    client: Client, sandbox: Sandbox, version: str
) -> None:
    channel = await sandbox.new_channel()
    lines = (spoken(version), "Expect: 100-continue", TASKS[version])
    async with task(client, channel, *lines) as only:
        assert (await only.head())[0] == INTERIM
        assert (await only.head())[0] == "HTTP/1.1 100 Continue"
        await only.send(FORM)
        status, fields, message = await only.answer()
    assert status == "HTTP/1.1 200 OK"
    resource = await client.resource(fields["Upload-Id"])
    assert "sha256" in resource["file"]["digests"]
    assert [message] == await sandbox.messages(f"channels/{channel}")
    await assert_is_the_file(client, message)


async def test_a_gateway_that_gives_up_waiting_cuts_the_connection(
    client: Client, sandbox: Sandbox, start_gateway: StartGateway
) -> None:
    impatient = start_gateway(**INTERIM_ON, body_timeout="3")
    channel = await sandbox.new_channel()
    async with (
        Client.open(impatient.url, TOKENS["alice"]) as silent,
        task(silent, channel, spoken("8"), TASKS["8"]) as first,
    ):
        _, promise = await first.head()
        await first.send(FORM[:HALF])
        async with asyncio.timeout(_PATIENCE):
            assert await first.reader.read() == b""
    await go_on(client, promise["Location"], "8")


async def test_a_form_that_is_refused_is_answered(client: Client, sandbox: Sandbox) -> None:
    body = FORM.replace(b'name="groupTag"', b'name="file"; filename="a"')
    channel = await sandbox.new_channel()
    async with task(client, channel, spoken("8"), TASKS["8"], body=body) as first:
        _, promise = await first.head()
        await first.send(body)
        status, fields, problem = await first.answer()
    assert status == "HTTP/1.1 400 Bad Request"
    assert problem["type"].endswith(":several-files")
    assert fields["Upload-Complete"] == "?1"
    late = await client.request("HEAD", promise["Location"])
    assert late.status == 410, late.headers


@pytest.mark.parametrize(
    "lines", [(TASKS["8"],), (spoken("2"), TASKS["8"])], ids=["none", "another"]
)
async def test_a_client_of_an_unknown_version_gets_no_interim_response(
    client: Client, sandbox: Sandbox, lines: tuple[str, ...]
) -> None:
    await assert_is_ordinary(client, sandbox, FORM, *lines)


async def test_small_forms_get_no_interim_response(client: Client, sandbox: Sandbox) -> None:
    await assert_is_ordinary(client, sandbox, form_of(CONTENT[:1000]), spoken("8"), TASKS["8"])


async def test_there_is_no_interim_response_by_default(
    external_gateway: Gateway, sandbox: Sandbox
) -> None:
    async with Client.open(external_gateway.url, TOKENS["alice"]) as client:
        await assert_is_ordinary(client, sandbox, FORM, spoken("8"), TASKS["8"])


async def assert_is_ordinary(client: Client, sandbox: Sandbox, body: bytes, *lines: str) -> None:
    async with task(client, await sandbox.new_channel(), *lines, body=body) as only:
        await only.send(body)
        status, fields, _ = await only.answer()
    assert status == "HTTP/1.1 200 OK"
    assert "Upload-Complete" not in fields
