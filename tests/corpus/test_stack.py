"""Real programs, by each delivery, on real servers."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from tests.corpus.pick import Specimen, programs
from tests.corpus.prepare import Corpus
from tests.flows.client import Client
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import CHANNEL, Sandbox

CHANNEL_PATH = f"/v1/channels/{CHANNEL}/messages"
AT_ONCE = 8


async def each(
    specimens: list[Specimen], send: Callable[[Specimen], Awaitable[str | None]]
) -> list[str]:
    """Send some at a time; returns what went wrong."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(specimen: Specimen) -> str | None:
        async with turns:
            wrong = await send(specimen)
        return wrong and f"{specimen}: {wrong}"

    return [wrong for wrong in await asyncio.gather(*map(one, specimens)) if wrong]


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
