"""Receivers of webhooks that are down, slow, gone, busy, elsewhere, or speak nonsense.

Every upload ends as if there were none, and each message arrives once its receiver is back.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from click.testing import CliRunner, Result
from standardwebhooks import WebhookVerificationError

from chaos.webhooks.receiver import NONSENSE, secret_of
from gateway.cli import main
from gateway.errors import PreconditionFailed
from gateway.stack.ports import HOST, free_port
from gateway.uploads import keys
from gateway.webhooks.messages import message_of
from tests.crashes.conftest import LATER
from tests.degraded.conftest import IMPORTS, PATH, RESPOND_ASYNC, Scene, eventually
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.servers.aged_store import later
from tests.servers.gateway import start_worker
from tests.servers.receiver import HOOK_PATH, Received, Receiver, receiving, status
from workers.due import Due
from workers.lanes import open_lanes
from workers.runtime import WorkerServices
from workers.shares import share
from workers.sniff import Sniffer
from workers.steps.notification import notify

HOSTED: Final = 24
RELAYED: Final = 6

BAD: Final = ("down", "slow", "gone", "busy", "moved", "garbled")
NAMES: Final = ("good", *BAD)
BACK: Final = tuple(name for name in BAD if name != "gone")
"""The endpoints that get their messages without an operator."""


@dataclass
class Place:
    """The address of one endpoint, whether or not a receiver is there now."""

    name: str
    port: int = field(default_factory=free_port)
    messages: dict[str, Any] = field(default_factory=dict)
    """Those that were accepted, by their ids."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}{HOOK_PATH}"

    @property
    def table(self) -> str:
        return (
            f'[[webhooks]]\nname = "{self.name}"\nurl = "{self.url}"\n'
            f'secrets = ["{secret_of(self.name)}"]\n'
        )

    async def accept(self, received: Received) -> web.StreamResponse:
        with pytest.raises(WebhookVerificationError):
            received.verified(secret_of("another"))
        message = received.verified(secret_of(self.name))
        self.messages[received.headers["webhook-id"]] = message
        return web.Response(status=204)


@dataclass
class Places:
    """All endpoints, and the receivers that are there."""

    stack: AsyncExitStack
    places: dict[str, Place] = field(default_factory=lambda: {n: Place(n) for n in NAMES})
    receivers: dict[str, Receiver] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Place:
        return self.places[name]

    async def receiver(self, name: str) -> Receiver:
        """The receiver at that place, started if there is none; it accepts everything."""
        if name not in self.receivers:
            found = await self.stack.enter_async_context(receiving(self[name].port))
            self.receivers[name] = found
        self.receivers[name].answer = self[name].accept
        return self.receivers[name]

    def lack(self, ids: Iterable[str], names: Iterable[str]) -> set[tuple[str, str]]:
        """The messages that these places have not accepted yet."""
        return {(name, each) for name in names for each in set(ids) - self[name].messages.keys()}


@pytest.fixture
async def places() -> AsyncIterator[Places]:
    async with AsyncExitStack() as stack:
        yield Places(stack)


@pytest.fixture
def own_environ(own_environ: dict[str, str], places: Places, tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "webhooks.toml"
    config.write_text("".join(each.table for each in places.places.values()))
    return own_environ | {"GATEWAY_CONFIG": str(config), "GATEWAY_WEBHOOK_ALLOW_HTTP": "true"}


async def worsen(places: Places, go_on: asyncio.Event) -> asyncio.Server:
    """Have each bad receiver do what its name says; returns the one that speaks nonsense."""

    async def slow(received: Received) -> web.StreamResponse:
        await go_on.wait()
        return await places["slow"].accept(received)

    elsewhere = f"{places['good'].url}/elsewhere"
    (await places.receiver("slow")).answer = slow
    (await places.receiver("gone")).answer = status(410)
    (await places.receiver("busy")).answer = status(429, Retry_After="2")
    (await places.receiver("moved")).answer = status(307, Location=elsewhere)
    sayings = cycle(NONSENSE)

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(next(sayings))
            await writer.drain()
        writer.close()

    return await asyncio.start_server(speak, HOST, places["garbled"].port)


async def upload_some(client: Client) -> list[str]:
    """Ids of uploads of both deliveries; all have succeeded."""
    hosted = (client.upload(PATH, files.PNG, headers=RESPOND_ASYNC) for _ in range(HOSTED))
    relayed = (client.upload(IMPORTS, b"[]", name="users.json") for _ in range(RELAYED))
    answers = await asyncio.gather(*hosted, *relayed)
    assert {answer.status for answer in answers} == {202}
    ids = [answer.upload_id for answer in answers]
    ends = await asyncio.gather(*map(client.end_of, ids))
    assert Counter(end["state"] for end in ends) == {"registered": HOSTED, "audited": RELAYED}
    return ids


async def messages_about(scene: Scene, upload_ids: Sequence[str]) -> set[str]:
    """The ids of the messages about the ends of these uploads."""
    found = set()
    for upload_id in upload_ids:
        upload = await scene.backends.ledger.ended(upload_id)
        assert upload is not None
        found.add(message_of(upload).id)
    return found


async def names_below(scene: Scene, prefix: str) -> list[str]:
    return [info.key.removeprefix(prefix) async for info in scene.backends.store.list(prefix)]


async def arrive(
    scene: Scene, places: Places, ids: Collection[str], names: Collection[str]
) -> None:
    """Wait until these places have all messages, and no message is left."""

    async def have_all() -> bool:
        await send_later(scene)
        return not places.lack(ids, names) and not await names_below(scene, keys.OUTBOX)

    await eventually(have_all)


async def send_later(scene: Scene) -> None:
    """Have workers send all messages as if their pauses were over."""
    async with Sniffer.open() as sniffer, open_lanes(scene.backends) as lanes:
        due = Due(scene.backends.redis, scene.backends.queue)
        services = WorkerServices(scene.backends, sniffer, due, lanes=lanes)
        with later(scene.backends, LATER):
            for name in await names_below(scene, keys.OUTBOX):
                with suppress(PreconditionFailed):  # the other worker is sending it
                    await notify(name, services)


def operator(environ: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(main, ["webhooks", *arguments], env={**environ, "NO_COLOR": "1"})


async def test_uploads_end_and_messages_arrive_whatever_receivers_do(
    scene: Scene, places: Places
) -> None:
    go_on = asyncio.Event()
    good = await places.receiver("good")
    nonsense = await worsen(places, go_on)
    gateway = scene.start_gateway()
    scene.start_worker()
    async with scene.alice(gateway) as client:
        ids = await messages_about(scene, await upload_some(client))
    await good.wait_for_ids(ids)
    assert not any(places[name].messages for name in BAD)

    go_on.set()
    nonsense.close()
    for name in BACK:
        await places.receiver(name)
    async with asyncio.timeout(PATIENCE):
        while not all(places[name].messages for name in BACK):  # the worker notices by itself
            await asyncio.sleep(0.05)
    await arrive(scene, places, ids, BACK)
    assert {each.path for each in good.received} == {HOOK_PATH}  # no redirect was followed


async def test_a_receiver_that_was_gone_gets_all_when_an_operator_says_so(
    scene: Scene, places: Places
) -> None:
    for name in NAMES:
        await places.receiver(name)
    gone = places.receivers["gone"]
    gone.answer = status(410)
    gateway = scene.start_gateway()
    scene.start_worker()
    async with scene.alice(gateway) as client:
        ids = await messages_about(scene, await upload_some(client))

    async def are_dead() -> bool:
        await send_later(scene)
        return len(await names_below(scene, keys.dead_messages())) == len(ids)

    await eventually(are_dead)
    assert places.lack(ids, NAMES) == {("gone", each) for each in ids}
    assert len(gone.received) <= 16  # that were sent before the first answer
    await places.receiver("gone")
    retried = await asyncio.to_thread(operator, scene.environ, "retry", "gone")
    assert retried.exit_code == 0, retried.output
    await arrive(scene, places, ids, ["gone"])
    assert await names_below(scene, keys.dead_messages()) == []


async def test_a_slow_receiver_holds_up_no_message_to_another(scene: Scene, places: Places) -> None:
    """More attempts at it are in progress than the worker has tasks for messages."""
    in_progress: set[str] = set()

    async def slow(received: Received) -> web.StreamResponse:
        in_progress.add(received.headers["webhook-id"])
        try:
            await asyncio.Event().wait()
        finally:
            in_progress.discard(received.headers["webhook-id"])
        return web.Response()

    for name in NAMES:
        await places.receiver(name)
    places.receivers["slow"].answer = slow
    gateway, slots = scene.start_gateway(), 8
    worker = start_worker(scene.environ, scene.directory, "--concurrency", str(slots))
    scene.stack.enter_context(worker)
    ids = []
    async with scene.alice(gateway) as client:
        for _ in range(4 * share(slots)):
            answer = await client.upload(PATH, files.PNG, headers=RESPOND_ASYNC)
            await client.end_of(answer.upload_id)  # so each message has a task of its own
            ids.append(answer.upload_id)
    async with asyncio.timeout(PATIENCE):
        while len(in_progress) <= 2 * share(slots):
            await asyncio.sleep(0.02)
    await places.receivers["good"].wait_for_ids(await messages_about(scene, ids))
