"""Every honest file, once by each delivery, on real servers."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from tests.corpus import declared
from tests.corpus.pick import Specimen, few, programs
from tests.corpus.prepare import Corpus
from tests.flows.client import Client
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import CHANNEL, Sandbox

# The corpus may have to be made first.
pytestmark = pytest.mark.timeout(900)

CHANNEL_PATH = f"/v1/channels/{CHANNEL}/messages"
AT_ONCE = 8


def declared_type(specimen: Specimen) -> str:
    """One of the types that clients declare; another for another file."""
    types = sorted(declared.table().get(specimen.extension, {"application/octet-stream": ()}))
    return types[sum(specimen.path.name.encode()) % len(types)]


def called(specimen: Specimen) -> str:
    """Its own name; but no secret of the servers, since logs must not contain one."""
    return specimen.path.name.replace("secret", "private")


async def each(
    specimens: list[Specimen], send: Callable[[Specimen], Awaitable[str | None]]
) -> list[str]:
    """Send some at a time; returns what went wrong."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(specimen: Specimen) -> str | None:
        async with turns:
            wrong = await send(specimen)
        return wrong and f"{specimen} as {declared_type(specimen)}: {wrong}"

    return [wrong for wrong in await asyncio.gather(*map(one, specimens)) if wrong]


async def test_every_honest_file_is_registered_and_served(external: Client, corpus: Corpus) -> None:
    async def send(specimen: Specimen) -> str | None:
        data = specimen.path.read_bytes()
        answer = await external.upload(
            CHANNEL_PATH, data, name=called(specimen), content_type=declared_type(specimen)
        )
        if answer.status not in (200, 202):
            return answer.body.decode()
        resource = await external.end_of(answer.upload_id)
        if resource["state"] != "registered":
            return json.dumps(resource)
        # Not with the client: it would look for links in the answer.
        async with external.session.get(resource["url"]) as served:
            same = await served.read() == data
        return None if same else "served with other bytes"

    assert await each(few(corpus), send) == []


async def test_no_honest_message_is_deleted(
    start_gateway: StartGateway, plain_relay: Client, sandbox: Sandbox, corpus: Corpus
) -> None:
    gateway = start_gateway(delivery="relay", on_mismatch="delete")
    client = Client(plain_relay.session, gateway.url, plain_relay.token)
    made: list[int] = []

    async def send(specimen: Specimen) -> str | None:
        answer = await client.upload(
            CHANNEL_PATH,
            specimen.path.read_bytes(),
            name=called(specimen),
            content_type=declared_type(specimen),
        )
        if answer.status != 200:
            return answer.body.decode()
        made.append(answer.json()["id"])
        resource = await client.end_of(answer.upload_id)
        return None if resource["state"] == "audited" else json.dumps(resource["problem"])

    assert await each(few(corpus), send) == []
    assert set(made) <= {message["id"] for message in await sandbox.messages()}


async def test_every_program_is_refused_and_its_message_deleted(
    start_gateway: StartGateway, external: Client, sandbox: Sandbox, corpus: Corpus
) -> None:
    gateway = start_gateway(delivery="relay", on_mismatch="delete")
    relay = Client(external.session, gateway.url, external.token)
    made: list[int] = []

    async def send(specimen: Specimen) -> str | None:
        data = specimen.path.read_bytes()
        refused = await external.upload(
            CHANNEL_PATH, data, name="cat.png", content_type="image/png"
        )
        if refused.status != 422:
            return f"hosted: {refused.status}"
        answer = await relay.upload(CHANNEL_PATH, data, name="cat.png", content_type="image/png")
        made.append(answer.json()["id"])
        resource = await relay.end_of(answer.upload_id)
        return None if resource["state"] == "flagged" else json.dumps(resource)

    assert await each(programs(corpus), send) == []
    assert not set(made) & {message["id"] for message in await sandbox.messages()}
