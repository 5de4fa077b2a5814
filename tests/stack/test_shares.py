"""No queue keeps a worker from the others: the decision, and a real worker that is loaded."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from socket import gethostname
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway.queue import TaskQueue
from gateway.stack.probes import says
from gateway.stack.seaweedfs import SeaweedFS
from gateway.uploads.lifecycle import Step
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.servers import poisonable_libmagic as poison
from tests.servers.fixtures import open_store
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import CHANNEL, THREAD, TOKENS, Sandbox
from tests.servers.zygote import ForkedPart
from workers.shares import open_queues, share

StartWorker = Callable[..., ForkedPart]

PATH = f"/v1/channels/{CHANNEL}/messages"
RELAYED = f"/v1/threads/{THREAD}/messages"
ROUTES = """
[[routes]]
path = "/v1/threads/*/messages"
delivery = "relay"
"""
SLOTS = 32


@given(st.dictionaries(st.sampled_from(list(Step)), st.integers(0, 64)), st.integers(1, 64))
def test_inspections_are_always_consumed_and_others_up_to_their_share(
    running: dict[str, int], slots: int
) -> None:
    found = open_queues(running, slots, set(Step))
    assert Step.INSPECT in found
    assert all(running.get(step, 0) < share(slots) for step in found - {Step.INSPECT})
    assert all(running[step] >= share(slots) for step in set(Step) - found)


@given(st.sampled_from(list(Step)), st.integers(0, 64), st.integers(1, 64))
def test_a_worker_for_one_step_is_all_for_it(step: Step, running: int, slots: int) -> None:
    assert open_queues({step: running}, slots, {step}) == {step}


@pytest.fixture(scope="module")
def own(
    environ: dict[str, str], module_redis_url: str, seaweedfs: SeaweedFS, servers_dir: Path
) -> dict[str, str]:
    """The settings of a gateway and workers that nobody else's uploads reach."""
    config = servers_dir / "shares.toml"
    config.write_text(ROUTES)
    bucket = replace(seaweedfs, bucket="shares")
    asyncio.run(_make(bucket))
    return environ | {
        **bucket.settings(),
        "GATEWAY_DELIVERY": "external",
        "GATEWAY_CONFIG": str(config),
        "GATEWAY_REDIS_URL": module_redis_url,
        "GATEWAY_UPSTREAM_TIMEOUT": "60",
        "GATEWAY_DRAIN_TIMEOUT": "300",
    }


async def _make(bucket: SeaweedFS) -> None:
    async with open_store(bucket) as store:
        await store.ensure_bucket()


@pytest.fixture(scope="module")
def gateway(own: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    with Gateway.start(own, servers_dir) as started:
        yield started


@pytest.fixture
async def broker(own: dict[str, str]) -> AsyncIterator[Redis]:
    async with Redis.from_url(own["GATEWAY_REDIS_URL"]) as client:
        await client.flushdb()
        yield client


@pytest.fixture
def start(own: dict[str, str], servers_dir: Path, broker: Redis) -> Iterator[StartWorker]:
    """Starts a worker, with settings of its own."""
    assert broker is not None
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            start_worker(
                own | settings,
                servers_dir,
            )
        )


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[Client]:
    async with Client.open(gateway.url, TOKENS["alice"]) as opened:
        yield opened


async def hosted(client: Client) -> str:
    """An upload whose registration nobody waits for."""
    answer = await client.upload(PATH, files.PNG, headers={"Prefer": "respond-async"})
    assert answer.status == 202, answer.body
    return answer.upload_id


async def until(client: Client, upload_id: str, state: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await client.resource(upload_id))["state"] != state:
            await asyncio.sleep(0.05)


async def ended(worker: ForkedPart) -> int:
    async with asyncio.timeout(PATIENCE):
        while (status := worker.exit_status) is None:
            await asyncio.sleep(0.05)
    return status


async def in_queues(broker: Redis) -> set[str]:
    """The ids of all uploads for which a task waits; none is in a worker's hand."""
    assert await broker.hlen("unacked") == 0
    texts = [text for step in Step for text in await broker.lrange(step, 0, -1)]
    firsts = [json.loads(base64.b64decode(json.loads(text)["body"]))[0][0] for text in texts]
    return {each for first in firsts for each in ([first] if isinstance(first, str) else first)}


@pytest.mark.slow
async def test_a_slow_upstream_blocks_neither_inspections_nor_audits(
    client: Client, sandbox: Sandbox, broker: Redis, start: StartWorker
) -> None:
    worker = start(GATEWAY_DRAIN_TIMEOUT="1")
    await sandbox.fault("POST", PATH, times=1000, delay=60.0, status=503)
    # Together: the first exchange with ChatKitty is given up after half a minute.
    ids = await asyncio.gather(*(hosted(client) for _ in range(2 * SLOTS)))
    await asyncio.gather(*(until(client, upload_id, "inspected") for upload_id in ids))
    # As many wait for ChatKitty as may, the others with the broker.
    async with asyncio.timeout(PATIENCE):
        while await broker.llen(Step.REGISTER) != len(ids) - 2 * share(SLOTS):
            await asyncio.sleep(0.05)
    answer = await client.upload(RELAYED, files.PNG)
    await until(client, answer.upload_id, "audited")
    # A worker that has to end gives back what does not.
    os.kill(worker.pid, signal.SIGTERM)
    assert await ended(worker) == 0
    assert await in_queues(broker) == set(ids)


async def test_a_queue_that_was_closed_is_asked_again_soon(
    broker: Redis, start: StartWorker, own: dict[str, str]
) -> None:
    with closing(TaskQueue(own["GATEWAY_REDIS_URL"], {})) as queue:
        for number in range(4 * SLOTS):
            queue.send(Step.RESUME, f"no-upload-{number}")
    asked: list[str] = []

    async def watch(monitor: Any) -> None:
        while True:
            command = (await monitor.next_command())["command"]
            if command.startswith("BRPOP"):
                asked.append(command)

    async with broker.monitor() as monitor:
        watching = asyncio.create_task(watch(monitor))
        await asyncio.to_thread(start)
        async with asyncio.timeout(PATIENCE):
            while await broker.exists(Step.RESUME, "unacked"):
                await asyncio.sleep(0.05)
        watching.cancel()
    while_closed = [command for command in asked if Step.RESUME not in command]
    assert while_closed
    assert {command.split()[-1] for command in while_closed} == {"0.05"}


async def test_a_worker_that_is_asked_to_stop_finishes_its_step(
    client: Client, sandbox: Sandbox, broker: Redis, start: StartWorker
) -> None:
    worker = start()
    await sandbox.fault("POST", PATH, delay=2.0)
    upload_id = await hosted(client)
    await until(client, upload_id, "inspected")
    later = await hosted(client)
    await until(client, later, "registered")
    os.kill(worker.pid, signal.SIGTERM)
    assert await ended(worker) == 0
    assert (await client.resource(upload_id))["state"] == "registered"
    assert await in_queues(broker) == set()


async def test_a_second_signal_has_it_give_back_its_step(
    client: Client, broker: Redis, start: StartWorker
) -> None:
    worker = start(LIBMAGIC_CHILD="tests.servers.poisonable_libmagic")
    answer = await client.upload(PATH, poison.SLEEPS, headers={"Prefer": "respond-async"})
    async with asyncio.timeout(PATIENCE):
        while await broker.hlen("unacked") == 0:
            await asyncio.sleep(0.05)
    os.kill(worker.pid, signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):  # two of the same at once are one
        while not says(worker.log, 0, "Warm shutdown"):
            await asyncio.sleep(0.05)
    os.kill(worker.pid, signal.SIGTERM)
    assert await ended(worker) == 0
    assert await in_queues(broker) == {answer.upload_id}
    start()
    await until(client, answer.upload_id, "registered")


def celery(environ: dict[str, str], *arguments: str) -> Any:
    """What Celery's own command line says."""
    what, *rest = arguments
    # With a name it waits for one answer, however late, and not for others.
    waits = ("-d", f"celery@{gethostname()}", "-t", "60")
    command = [sys.executable, "-m", "celery", "-A", "workers", what, *waits, "--json", *rest]
    said = subprocess.run(
        command, env=os.environ | environ, capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(said.stdout)


@pytest.mark.slow
def test_celerys_own_tools_see_a_worker_and_take_queues_from_it(
    own: dict[str, str], start: StartWorker
) -> None:
    start()

    def consumed() -> set[str]:
        (queues,) = celery(own, "inspect", "active_queues").values()
        return {queue["name"] for queue in queues}

    assert consumed() == set(Step)
    celery(own, "control", "cancel_consumer", Step.AUDIT)
    assert consumed() == set(Step) - {Step.AUDIT}
