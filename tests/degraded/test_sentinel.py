"""Redis behind sentinels only: its primary dies or freezes under load."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.doctor.sentinels import find_primary
from gateway.errors import ConfigurationError
from gateway.stack.ports import HOST
from gateway.stack.seaweedfs import SeaweedFS
from gateway.uploads.lifecycle import Step
from tests.degraded.conftest import IMPORTS, PATH, Scene, eventually
from tests.flows import files
from tests.flows.client import Answer, Client
from tests.servers.sentinels import MASTER, Fleet, fleet
from tests.servers.zygote import ForkedPart

IN_FLIGHT = 1.0
"""Seconds of writes that a primary may lose with its death, before they reach its replica."""

LONGEST_PAUSE = 2.0
"""Seconds between a worker's attempts to reach its broker."""


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as started:
        yield started


@pytest.fixture
def by_sentinel(own_environ: dict[str, str], sentinels: Fleet) -> None:
    own_environ.update(sentinels.settings)


@dataclass
class Load:
    """Uploads of both deliveries, one after the other, by several clients, and their answers."""

    hosting: Client
    relaying: Client
    name: str
    hosted: list[Answer] = field(default_factory=list)
    relayed: list[tuple[float, Answer]] = field(default_factory=list)
    """With the time before which each was answered."""

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        self._ended = asyncio.Event()
        async with asyncio.TaskGroup() as clients:
            for _ in range(4):
                clients.create_task(self._go_on())
            try:
                yield
            finally:
                self._ended.set()

    async def _go_on(self) -> None:
        while not self._ended.is_set():
            self.hosted.append(await self.host(2))
            answer = await self.relaying.upload(IMPORTS, b"[]", name="users.json")
            self.relayed.append((time.monotonic(), answer))

    async def host(self, seconds: int) -> Answer:
        headers = {"Prefer": f"wait={seconds}"}
        return await self.hosting.upload(PATH, files.PNG, name=self.name, headers=headers)

    async def goes_well(self) -> bool:
        """Whether a worker registers an upload while its client waits."""
        return (await self.host(3)).status == 200

    async def has(self, relayed: int) -> None:
        async def done() -> bool:
            return len(self.relayed) >= relayed

        await eventually(done)


@pytest.mark.usefixtures("by_sentinel")
@pytest.mark.parametrize("how", [Fleet.kill_primary, Fleet.freeze_primary])
async def test_the_loss_of_a_primary_loses_no_upload(
    scene: Scene, sentinels: Fleet, how: Callable[[Fleet], int]
) -> None:
    gateways = [scene.start_gateway(), scene.start_gateway(delivery="relay")]
    worker = scene.start_worker()
    async with scene.alice(gateways[0]) as hosting, scene.alice(gateways[1]) as relaying:
        load = Load(hosting, relaying, scene.name)
        async with load.under_way():
            await load.has(relayed=20)
            before = await asyncio.to_thread(how, sentinels)
            gone = time.monotonic()
            await sentinels.has_failed_over(before)
            decided = datetime.now(UTC)
            await eventually(load.goes_well)
            assert_goes_on_at_once(worker, decided)
            await load.has(relayed=len(load.relayed) + 10)
        assert {answer.status for answer in load.hosted} <= {200, 202}
        assert {answer.status for _, answer in load.relayed} == {202}
        await scene.sweep()
        for answer in load.hosted:
            assert await scene.is_registered_once(hosting, answer)
        # What a sweeper does once uploads with a lost message are overdue.
        for upload_id in await scene.backends.ledger.list_relayed(0, 1000):
            scene.backends.queue.send(Step.AUDIT, upload_id)
        for answered, answer in load.relayed:
            if not gone - IN_FLIGHT < answered < gone + IN_FLIGHT:
                assert (await relaying.end_of(answer.upload_id))["state"] == "audited"
        assert (await hosting.request("GET", "/gateway/readyz")).status == 200
    assert worker.exit_status is None


def assert_goes_on_at_once(worker: ForkedPart, decided: datetime) -> None:
    """Whether the worker goes on within 10 s of the decision, on a machine that is not busy.

    A busy one has no seconds to compare. What is begun after the decision has to succeed, and the
    next attempt has to be begun soon.
    """
    events = [json.loads(line) for line in worker.log.read_text().splitlines() if line[:1] == "{"]
    failed = [each for each in events if "Cannot connect to" in each["event"]]
    pauses = [float(each) for each in re.findall(r"Trying again in ([\d.]+) sec", str(failed))]
    assert max(pauses, default=0) <= LONGEST_PAUSE
    late = [each for each in failed if datetime.fromisoformat(each["timestamp"]) > decided]
    assert len(late) <= 1, late  # it was begun before


async def test_doctor_names_what_is_wrong_with_sentinels(sentinels: Fleet) -> None:
    primary = await find_primary(sentinels.url)
    assert primary is not None
    first = sentinels.sentinel_ports[0]
    assert str(primary) == f"{HOST}:{sentinels.primary()}, by the sentinel {HOST}:{first}"
    assert primary.advice == ()
    sentinels.parts[first].kill()
    left = await find_primary(sentinels.url)
    assert left is not None
    assert left.host == primary.host
    silent, few = left.advice
    assert silent.startswith(f"sentinel {HOST}:{first} cannot be queried: ")
    assert few.startswith("run 3 sentinels or more")
    for url, remedy in (
        (
            sentinels.url.replace(f"/{MASTER}/", "/files/"),
            f"knows no files: it knows {MASTER}",
        ),
        (sentinels.url.partition("?")[0], "check GATEWAY_REDIS_SENTINEL_USERNAME and _PASSWORD"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(remedy)):
            await find_primary(url)


@pytest.mark.usefixtures("by_sentinel", "sandbox")
async def test_doctor_names_the_server_that_sentinels_led_to(
    own_environ: dict[str, str], sentinels: Fleet, seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    log = tmp_path / "doctor.log"
    environ = {**own_environ, **seaweedfs.settings()}
    doctor = ForkedPart(["gateway.cli", "doctor"], environ, log, lambda: True)
    async with asyncio.timeout(60):
        while doctor.exit_status is None:
            await asyncio.sleep(0.05)
    assert doctor.exit_status == 0, log.read_text()
    reached = f"{HOST}:{sentinels.primary()}, by the sentinel {HOST}:{sentinels.sentinel_ports[0]}"
    for part in ("redis", "broker"):
        assert f"\n{part}: ok, {reached}\n" in log.read_text()


async def test_without_sentinels_there_is_nothing_to_find() -> None:
    assert await find_primary("redis://127.0.0.1/0") is None
