"""A process dies at each step of a message, and the endpoint gets the message."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import cast

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.uploads import keys
from gateway.uploads.record import Upload
from gateway.webhooks.messages import message_of
from tests.crashes.conftest import PATH, Stage, died, stopped
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.servers.aged_store import sweep_later
from tests.servers.receiver import SECRET, Receiver, accepted, receiving, status
from tests.servers.sandbox import TOKENS


@pytest.fixture(autouse=True)
async def receiver(lonely_environ: dict[str, str]) -> AsyncIterator[Receiver]:
    async with receiving() as at_work:
        lonely_environ["GATEWAY_WEBHOOK_URL"] = at_work.url
        lonely_environ["GATEWAY_WEBHOOK_SECRET"] = SECRET
        lonely_environ["GATEWAY_WEBHOOK_ALLOW_HTTP"] = "true"
        yield at_work


async def send(stage: Stage) -> str:
    """The id of an upload; its client does not wait for its end."""
    async with Client.open(stage.gateway().url, TOKENS["alice"]) as client:
        headers = {"Prefer": "respond-async"}
        return (await client.upload(PATH, files.PNG, name=stage.name, headers=headers)).upload_id


async def in_outbox(stage: Stage) -> list[str]:
    return [name async for name, _ in stage.backends.outbox.all()]


async def dead(stage: Stage) -> list[str]:
    return [info.key async for info in stage.backends.outbox.dead()]


async def swept(stage: Stage, is_done: Callable[[], bool]) -> None:
    """Have workers send what is in the outbox until it is empty, and that is done."""
    async with asyncio.timeout(PATIENCE):
        while await in_outbox(stage) or not is_done():
            await sweep_later(stage.backends, 30.0)
            await asyncio.sleep(0.5)


async def ended(stage: Stage) -> Upload:
    """The one upload that has ended; of a relay another record may be left in Redis."""
    (upload_id,) = await stage.left(keys.RECORDS)
    upload = await stage.backends.ledger.ended(upload_id)
    assert upload is not None
    return upload


@pytest.mark.parametrize("delivery", ["relay", "external"])
@pytest.mark.parametrize("point", ["outbox.placed", "end.recorded"])
async def test_the_message_of_an_end_is_sent_although_its_worker_died(
    stage: Stage, receiver: Receiver, delivery: str, point: str
) -> None:
    stage.environ["GATEWAY_DELIVERY"] = delivery
    dying = stage.worker(point)
    await send(stage)
    await died(dying.pid)
    assert len(await in_outbox(stage)) == 1
    assert len(await stage.left(keys.RECORDS)) == (point == "end.recorded")
    await stage.take_up()
    if delivery == "relay" and point == "outbox.placed":  # its record is in Redis
        await sweep_later_relayed(stage)
    worker = stage.worker()
    await swept(stage, lambda: bool(receiver.received))
    upload = await ended(stage)
    assert receiver.ids == {message_of(upload).id}
    message = receiver.received[-1].verified()
    assert message["data"]["upload"]["state"] == upload.state
    assert worker.exit_status is None


async def sweep_later_relayed(stage: Stage) -> None:
    """As if the audits that wait in Redis had waited for long."""
    redis = stage.backends.redis
    for member in cast(list[bytes], await redis.zrange(keys.RELAYED_SET, 0, -1)):
        await redis.zadd(keys.RELAYED_SET, {member: 0})
    await sweep_later(stage.backends, 0.0)


async def test_a_worker_that_dies_after_the_answer_sends_the_same_message_again(
    stage: Stage, receiver: Receiver
) -> None:
    dying = stage.worker("outbox.sent")
    await send(stage)
    await died(dying.pid)
    assert len(receiver.received) == 1
    stage.worker()
    await swept(stage, lambda: len(receiver.received) > 1)
    assert len(receiver.ids) == 1
    assert len({each.body for each in receiver.received}) == 1


async def test_a_worker_that_dies_as_it_gives_up_leaves_a_dead_letter(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.answer = status(410)
    dying = stage.worker("outbox.set-aside")
    await send(stage)
    await died(dying.pid)
    assert len(await in_outbox(stage)) == 1
    stage.worker()
    await swept(stage, lambda: True)
    assert len(await dead(stage)) == 1
    assert len(receiver.received) == 1


async def test_a_message_that_is_given_up_while_an_operator_sends_it_again_is_not_lost(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.answer = status(410)
    giving_up = stage.worker(stop_at="outbox.set-aside")
    await send(stage)
    await stopped(giving_up.pid)
    receiver.answer = accepted
    operator = partial(CliRunner().invoke, main, ["webhooks", "retry"], env=stage.environ)
    assert (await asyncio.to_thread(operator)).exit_code == 0
    async with asyncio.timeout(PATIENCE):
        while await in_outbox(stage) or await dead(stage):
            os.kill(giving_up.pid, signal.SIGCONT)  # only now it removes what it has set aside
            await sweep_later(stage.backends, 30.0)
            await asyncio.sleep(0.5)
    assert len(receiver.received) > 1
    assert receiver.ids == {message_of(await ended(stage)).id}


async def test_the_message_of_a_fence_is_sent_although_its_gateway_died(
    stage: Stage, receiver: Receiver
) -> None:
    """The abandoned upload is the first one of a key, and its process has died."""
    stage.environ["GATEWAY_DELIVERY"] = "external"
    dying = stage.gateway("claim.taken")
    assert await stage.upload(dying, key="a key") is None
    await died(dying.pid)
    await stage.forget_presence()
    fencing = stage.gateway("outbox.placed")
    assert await stage.upload(fencing, key="a key") is None
    await died(fencing.pid)
    (name,) = await in_outbox(stage)
    assert name.endswith("-aborted")
    await stage.take_up()
    stage.worker()
    await swept(stage, lambda: bool(receiver.received))
    assert receiver.received[0].verified()["type"] == "upload.aborted"
