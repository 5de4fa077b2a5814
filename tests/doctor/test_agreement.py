"""A gateway and a worker with different secret keys: both log it, and doctor says so."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from gateway.agreement import running
from gateway.doctor.examination import examine
from gateway.doctor.parts import Part
from gateway.settings import load
from tests.doctor.wires import own_redis
from tests.flows.client import PATIENCE
from tests.servers.gateway import Gateway, start_worker

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("sandbox")]

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@asynccontextmanager
async def both(
    environ: Mapping[str, str], directory: Path, gateways: str, workers: str
) -> AsyncIterator[tuple[Path, Path]]:
    """The logs of a gateway and a worker with these keys, once each knows of the other."""
    with (
        Gateway.start({**environ, "GATEWAY_SECRET_KEY": gateways}, directory) as gateway,
        start_worker({**environ, "GATEWAY_SECRET_KEY": workers}, directory) as worker,
    ):
        async with Redis.from_url(environ["GATEWAY_REDIS_URL"]) as redis:
            async with asyncio.timeout(PATIENCE):
                while len(await running(redis)) < 2:
                    await asyncio.sleep(0.1)
        yield gateway.log, worker.log


async def _examine(environ: Mapping[str, str], key: str) -> tuple[int, list[str]]:
    said: list[str] = []
    settings = load({**environ, "GATEWAY_SECRET_KEY": key})
    status = await examine(settings, said.append, only=[Part.AGREEMENT])
    return status, said


@pytest.fixture
def shared(environ: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    with own_redis(tmp_path) as address:
        yield {**environ, "GATEWAY_REDIS_URL": f"redis://{address}/0"}


@pytest.mark.parametrize(
    ("gateways", "workers"),
    [(OLD, OLD), (f"{OLD},{NEW}", OLD), (f"{NEW},{OLD}", f"{OLD},{NEW}"), (f"{NEW},{OLD}", NEW)],
    ids=["the same", "to be read", "to be written", "to be forgotten"],
)
async def test_a_rotation_as_documented_is_no_disagreement(
    shared: dict[str, str], tmp_path: Path, gateways: str, workers: str
) -> None:
    async with both(shared, tmp_path, gateways, workers) as logs:
        for key in (gateways, workers):
            assert await _examine(shared, key) == (0, ["agreement: ok"])
        assert not any("settings.differ" in log.read_text() for log in logs)


async def test_processes_without_each_others_keys_are_named(
    shared: dict[str, str], tmp_path: Path
) -> None:
    async with both(shared, tmp_path, NEW, OLD) as logs:
        async with asyncio.timeout(PATIENCE):
            while not any("settings.differ" in log.read_text() for log in logs):
                await asyncio.sleep(0.1)
        lines = [line for log in logs for line in log.read_text().splitlines()]
        (told,) = (json.loads(line) for line in lines if "settings.differ" in line)
        assert told["settings"] == ["GATEWAY_SECRET_KEY"]
        for key, other in ((NEW, "worker "), (OLD, "gateway ")):
            status, (said,) = await _examine(shared, key)
            assert status == 1
            assert said.startswith(f"agreement: {other}")
            assert "another GATEWAY_SECRET_KEY" in said
            assert key.rstrip("=") not in said
