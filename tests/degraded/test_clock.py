"""Clocks that are ten minutes fast or slow: nothing is lost, removed or registered twice."""

import asyncio
import json
import time
from pathlib import Path

import aiohttp
import pytest

from gateway.stack.seaweedfs import SeaweedFS
from gateway.uploads import keys
from tests.degraded.conftest import PATH, RESPOND_ASYNC, Scene, eventually
from tests.flows import files
from tests.flows.client import PATIENCE
from tests.servers.clock import OFF_BY
from tests.servers.sandbox import TOKENS
from tests.servers.store_proxy import Fault, FaultProxy
from tests.servers.zygote import ForkedPart

FAST, SLOW = 600, -600
IN_PARTS = files.PNG.ljust(9_000_000, b"\0")
"""Such an upload is never offered: the gateway writes the record before it sends a task."""

PAGE = 100
"""Messages that a worker requests at a time when it looks for one."""

either = pytest.mark.parametrize("off_by", [FAST, SLOW])


@either
def test_the_clock_of_these_tests_is_off_and_runs(off_by: int, tmp_path: Path) -> None:
    log = tmp_path / "clock.log"
    before = time.monotonic()
    clock = ForkedPart(["tests.servers.clock"], {OFF_BY: str(off_by)}, log, lambda: True)
    while clock.exit_status is None and time.monotonic() < before + PATIENCE:
        time.sleep(0.01)
    told = json.loads(log.read_text())
    for name in ("time", "datetime", "id"):
        assert told[name] - time.time() == pytest.approx(off_by, abs=PATIENCE)
    assert before < told["monotonic"] < time.monotonic()
    assert 0.009 < told["moment"] < PATIENCE


@either
async def test_a_stack_with_a_wrong_clock_registers_files_all_the_same(
    scene: Scene, off_by: int
) -> None:
    scene.environ[OFF_BY] = str(off_by)
    gateway = scene.start_gateway()
    scene.start_worker()
    async with scene.alice(gateway) as client:
        answer = await client.upload(PATH, files.PNG, name=scene.name)
        assert answer.status == 200, answer.body
        assert await scene.is_registered_once(client, answer)
        url = (await client.resource(answer.upload_id))["url"]
    async with aiohttp.ClientSession() as session, session.get(url) as file:
        assert file.status == 200, await file.text()  # by a link that the store accepts
        assert await file.read() == files.PNG


@either
async def test_a_message_that_a_worker_with_a_wrong_clock_sent_is_found(
    scene: Scene, off_by: int
) -> None:
    await scene.sandbox.fault("POST", PATH, cut="after")
    gateway = scene.start_gateway()
    wrong = scene.start_worker(**{OFF_BY: str(off_by)})
    async with scene.alice(gateway) as client:
        answer = await client.upload(PATH, files.PNG, name=scene.name, headers=RESPOND_ASYNC)
        assert answer.status == 202
        await eventually(lambda: scene.is_in_doubt(answer))
        wrong.stop()
        # The message is no longer among the newest: its time says how far to look back.
        await _fill_a_page(scene)
        scene.start_worker()

        async def has_ended() -> bool:
            await scene.sweep()
            return bool((await client.resource(answer.upload_id))["state"] == "registered")

        await eventually(has_ended)
        assert await scene.is_registered_once(client, answer)
    assert len(await scene.messages()) == 1


async def _fill_a_page(scene: Scene) -> None:
    headers = {"Authorization": f"Bearer {TOKENS['alice']}"}
    body = {"type": "TEXT", "body": "hello"}
    async with aiohttp.ClientSession(scene.sandbox.url, headers=headers) as session:
        for _ in range(PAGE):
            async with session.post(PATH, json=body) as answer:
                assert answer.status == 200, await answer.text()


@either
async def test_a_sweeper_with_a_wrong_clock_spares_uploads_in_progress(
    scene: Scene, seaweedfs: SeaweedFS, off_by: int
) -> None:
    scene.environ["GATEWAY_SWEEP_INTERVAL"] = "1"
    scene.start_worker(**{OFF_BY: str(off_by)})
    _start_beat(scene)  # by a right clock: of another machine
    await scene.sandbox.fault("POST", PATH, delay=1.0)
    async with FaultProxy.start(seaweedfs.endpoint_url) as proxy:
        gateway = scene.start_gateway(s3_endpoint_url=proxy.url)
        held = proxy.fail(rb"^PUT \S+/pending/", Fault.WAIT)
        async with scene.alice(gateway) as client, asyncio.TaskGroup() as group:
            upload = group.create_task(client.upload(PATH, IN_PARTS, name=scene.name))
            async with asyncio.timeout(PATIENCE):
                await held.met.wait()
            await _two_passes(scene)
            assert len(await scene.left(keys.INCOMING)) == 1
            proxy.mend()
            answer = await upload
            assert answer.status == 200, answer.body
            await _two_passes(scene)
            assert await scene.is_registered_once(client, answer)
    assert len(await scene.messages()) == 1


def _start_beat(scene: Scene) -> None:
    schedule = str(scene.directory / "beat")
    argv = ["celery.__main__", "-A", "workers", "beat", "--schedule", schedule]
    log = scene.directory / "beat.log"
    scene.stack.enter_context(ForkedPart(argv, scene.environ, log, lambda: True))


async def _two_passes(scene: Scene) -> None:
    """Return when a sweep that began after this call has finished: each writes twice."""
    seen: set[str] = set()

    async def have_passed() -> bool:
        async for info in scene.backends.store.list(keys.SWEEP):
            seen.add(info.etag)
        return len(seen) >= 4

    await eventually(have_passed)
