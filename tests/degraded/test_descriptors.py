"""A worker without free file descriptors keeps trying, logs the reason, and recovers."""

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.stack.probes import says
from gateway.uploads.lifecycle import Step
from tests.degraded.conftest import PATH, Scene, Server, eventually
from tests.flows import files
from tests.flows.client import Client
from tests.servers.gateway import start_worker
from tests.servers.zygote import ForkedPart

STEPS = 6
STEP_SECONDS = 0.6
"""A worker tries to reconnect some five times in it; more tries make each kind of failure likelier.
"""


def open_files(part: ForkedPart) -> set[int]:
    return {int(file.name) for file in Path(f"/proc/{part.pid}/fd").iterdir()}


@contextmanager
def none_left(part: ForkedPart) -> Iterator[Callable[[], None]]:
    """Stop a process from opening files, except for one each time that the test allows it."""
    usual = resource.prlimit(part.pid, resource.RLIMIT_NOFILE)

    def limit(number: int) -> None:
        resource.prlimit(part.pid, resource.RLIMIT_NOFILE, (number, usual[1]))

    def allow_one() -> None:
        opened = open_files(part)
        limit(next(number for number in count() if number not in opened) + 1)

    limit(1)
    try:
        yield allow_one
    finally:
        with suppress(ProcessLookupError):
            limit(usual[0])


@pytest.mark.parametrize("pool", ["threads", "processes"])
async def test_a_worker_without_descriptors_keeps_trying(
    scene: Scene, own_redis: tuple[Server, str], pool: str
) -> None:
    gateway = scene.start_gateway()
    arguments = ("--pool", pool, "--concurrency", "2")
    worker = scene.stack.enter_context(start_worker(scene.environ, scene.directory, *arguments))
    async with Redis.from_url(own_redis[1]) as redis, scene.alice(gateway) as client:
        await eventually(partial(_is_registered, scene, client))
        until_then = worker.log.stat().st_size
        with none_left(worker) as allow_one:
            await redis.client_kill_filter(skipme=True)
            await eventually(partial(_says, worker, until_then, "gateway.out_of_descriptors"))
            for _ in range(STEPS):
                allow_one()
                await asyncio.sleep(STEP_SECONDS)
                assert worker.exit_status is None, worker.tail()
        await eventually(partial(_is_registered, scene, client))
    assert worker.exit_status is None


async def test_a_beat_without_descriptors_keeps_trying(
    scene: Scene, own_redis: tuple[Server, str]
) -> None:
    schedule = str(scene.directory / "schedule")
    argv = ["celery.__main__", "-A", "workers", "beat", "--schedule", schedule]
    environ = {
        **scene.environ,
        "GATEWAY_BROKER_URL": f"{own_redis[1][:-1]}3",  # of which no worker takes tasks
        "GATEWAY_SWEEP_INTERVAL": "1",
    }
    beat = ForkedPart(argv, environ, scene.directory / "beat.log", lambda: True)
    scene.stack.callback(beat.stop)
    async with Redis.from_url(environ["GATEWAY_BROKER_URL"]) as redis:

        async def beats() -> bool:
            assert beat.exit_status is None, beat.tail()
            return await redis.delete(Step.SWEEP.value) > 0

        await eventually(beats)
        until_then = beat.log.stat().st_size
        with none_left(beat) as allow_one:
            await redis.client_kill_filter(skipme=True)
            await eventually(partial(_says, beat, until_then, "Too many open files"))
            for _ in range(STEPS):
                allow_one()
                await asyncio.sleep(STEP_SECONDS)
        await redis.delete(Step.SWEEP.value)
        await eventually(beats)


async def _says(part: ForkedPart, since: int, what: str) -> bool:
    assert part.exit_status is None, part.tail()
    return says(part.log, since, what)


async def _is_registered(scene: Scene, client: Client) -> bool:
    headers = {"Prefer": "wait=3"}
    answer = await client.upload(PATH, files.PNG, name=scene.name, headers=headers)
    return answer.status == 200
