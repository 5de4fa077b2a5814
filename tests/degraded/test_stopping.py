"""A worker and a beat that are asked to stop do so, whatever their broker does at that moment."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from chaos.servers.rabbitmq import RabbitMQ
from gateway.errors import QueueUnavailable
from gateway.queue import TaskQueue
from gateway.stack.valkey import Valkey
from tests.degraded.conftest import (
    PATH,
    RESPOND_ASYNC,
    Scene,
    Server,
    eventually,
    told_unready,
)
from tests.flows import files
from tests.servers import metrics, rabbitmq
from tests.servers.gateway import start_worker
from tests.servers.zygote import ForkedPart

PATIENCE = 90.0


@pytest.fixture(scope="module")
def node(servers_dir: Path) -> Iterator[RabbitMQ]:
    """A node that tests may stop, and give alarms."""
    with rabbitmq.started(servers_dir / f"rabbitmq-{uuid4()}") as started:
        yield started


@pytest.fixture
def by_rabbitmq(own_environ: dict[str, str], node: RabbitMQ) -> None:
    own_environ["GATEWAY_BROKER_URL"] = node.url


def start_beat(scene: Scene) -> ForkedPart:
    """A beat that sends something each second."""
    name = uuid4().hex
    argv = ["celery.__main__", "-A", "workers", "beat", "-s", str(scene.directory / name)]
    environ = {**scene.environ, "GATEWAY_SWEEP_INTERVAL": "1"}
    log = scene.directory / f"beat-{name}.log"
    beat = ForkedPart(argv, environ, log, lambda: True)
    scene.stack.callback(beat.stop)
    return beat


def another(scene: Scene) -> ForkedPart:
    """Another worker on this host; each must have a name of its own."""
    name = f"{uuid4().hex}@%h"
    return scene.stack.enter_context(start_worker(scene.environ, scene.directory, "-n", name))


async def ended(part: ForkedPart) -> int:
    """Stop it; returns its exit status."""
    os.kill(part.pid, signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        while part.exit_status is None:
            await asyncio.sleep(0.05)
    return part.exit_status


async def end_well(*parts: ForkedPart) -> None:
    """Stop them at the same time."""
    assert await asyncio.gather(*map(ended, parts)) == [0] * len(parts)


async def is_registered(scene: Scene, part: ForkedPart) -> None:
    """Wait until that worker has registered an upload."""
    gateway = scene.start_gateway()
    async with scene.alice(gateway) as client:
        answer = await client.upload(
            PATH, files.PNG, name=scene.name, headers={"Prefer": "wait=30"}
        )
        assert answer.status == 200, answer.body
    assert part.exit_status is None


@contextmanager
def full(valkey: Valkey) -> Iterator[None]:
    with Redis.from_url(valkey.url) as redis:
        redis.config_set("maxmemory", 1)
        try:
            yield
        finally:
            redis.config_set("maxmemory", 0)


@pytest.mark.parametrize("how", ["frozen", "away", "full"])
async def test_worker_and_beat_stop_while_redis_fails(
    scene: Scene, redis_server: Server, own_redis: tuple[Server, str], how: str, tmp_path: Path
) -> None:
    port = int(own_redis[1].rpartition(":")[2].partition("/")[0])
    worker, beat = scene.start_worker(), start_beat(scene)
    await is_registered(scene, worker)
    hows: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "frozen": redis_server.frozen,
        "away": redis_server.away,
        "full": partial(full, Valkey(tmp_path / "valkey", port)),
    }
    with hows[how]():
        await asyncio.sleep(3)  # so that they have noticed
        assert (worker.exit_status, beat.exit_status) == (None, None)
        await end_well(worker, beat)


@pytest.mark.usefixtures("by_rabbitmq")
async def test_worker_and_beat_stop_while_rabbitmq_has_an_alarm(
    scene: Scene, node: RabbitMQ
) -> None:
    gateway = scene.start_gateway()
    staying, leaving, beat = scene.start_worker(), another(scene), start_beat(scene)
    async with scene.alice(gateway) as client:
        before = await client.upload(PATH, files.PNG, name=scene.name)
        assert before.status == 200
        with node.memory_alarm():
            taken = await client.upload(PATH, files.PNG, name=scene.name, headers=RESPOND_ASYNC)
            assert taken.status == 202
            await told_unready(client, gateway, "broker")
            scraped = await metrics.until(
                gateway.admin_url, lambda found: found.value("broker_refuses") == 1
            )
            assert scraped.value("broker_refuses") == 1
            queue = TaskQueue(node.url, {})
            with pytest.raises(QueueUnavailable):
                async with asyncio.timeout(PATIENCE):
                    await asyncio.to_thread(queue.probe)
            queue.close()
            late = another(scene)  # it processes what is there nevertheless
            await end_well(leaving, beat, late)
        await scene.sweep()
        assert await scene.is_registered_once(client, taken)

        async def is_ready() -> bool:
            return (await client.request("GET", "/gateway/readyz")).status == 200

        await eventually(is_ready)
        await metrics.until(gateway.admin_url, lambda found: found.value("broker_refuses") == 0)
    assert staying.exit_status is None


@pytest.mark.usefixtures("by_rabbitmq")
async def test_worker_and_beat_stop_while_rabbitmq_is_frozen(scene: Scene, node: RabbitMQ) -> None:
    worker, beat = scene.start_worker(), start_beat(scene)
    await is_registered(scene, worker)
    with node.frozen():
        await asyncio.sleep(3)  # so that they have noticed
        await end_well(worker, beat)
