"""Whole uploads through a real worker, with files that hurt its libmagic."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from tests.flows import files
from tests.flows.client import Client
from tests.servers import poisonable_libmagic as poison
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import CHANNEL, THREAD, TOKENS
from tests.servers.zygote import ForkedPart

pytestmark = pytest.mark.slow

PATH = f"/v1/channels/{CHANNEL}/messages"
THREAD_PATH = f"/v1/threads/{THREAD}/messages"
ROUTES = """
[[routes]]
path = "/v1/threads/*/messages"
delivery = "external"
denied_types = ["application/x-dosexec"]
"""


@pytest.fixture(scope="module")
def own(environ: dict[str, str], module_redis_url: str, servers_dir: Path) -> dict[str, str]:
    """The settings of a gateway and a worker that nobody else's uploads reach."""
    config = servers_dir / "unsniffed.toml"
    config.write_text(ROUTES)
    return environ | {
        "GATEWAY_DELIVERY": "external",
        "GATEWAY_CONFIG": str(config),
        "GATEWAY_BROKER_URL": module_redis_url,
        "GATEWAY_REGISTRATION_WAIT": "300",  # libmagic takes long to be hurt
        "LIBMAGIC_CHILD": "tests.servers.poisonable_libmagic",
    }


@pytest.fixture(scope="module")
def poisoned_worker(own: dict[str, str], servers_dir: Path) -> Iterator[ForkedPart]:
    with start_worker(own, servers_dir) as worker:
        yield worker


@pytest.fixture
async def client(
    own: dict[str, str], poisoned_worker: ForkedPart, tmp_path: Path
) -> AsyncIterator[Client]:
    assert poisoned_worker.exit_status is None

    with Gateway.start(own, tmp_path) as gateway:
        async with Client.open(gateway.url, TOKENS["alice"]) as opened:
            yield opened


async def test_a_file_that_hurts_libmagic_delays_only_its_own_upload(
    client: Client, poisoned_worker: ForkedPart
) -> None:
    worker = psutil.Process(poisoned_worker.pid)
    await client.upload(PATH, files.PNG, name="first.png")
    poisons = [poison.HANGS, poison.CRASHES, poison.EATS, poison.SLEEPS]
    hurting = [asyncio.create_task(client.upload(PATH, data, name="p.png")) for data in poisons]
    ordinary = [client.upload(PATH, files.PNG, name=f"{number}.png") for number in range(30)]
    for answer in await asyncio.gather(*ordinary):
        assert answer.status == 200, answer.body
        assert answer.json()["file"]["contentType"] == "image/png"
    for answer in await asyncio.gather(*hurting):
        assert answer.status == 422, answer.body
        assert answer.json()["type"].endswith("denied-type")
        resource = await client.resource(answer.upload_id)
        assert (resource["state"], resource["file"]["contentType"]) == (
            "rejected",
            "application/octet-stream",
        )
    assert poisoned_worker.exit_status is None
    assert worker.memory_info().rss < 400 * 1024 * 1024


async def test_route_may_allow_files_that_could_not_be_examined(client: Client) -> None:
    answer = await client.upload(THREAD_PATH, poison.CRASHES, name="odd.png")
    assert answer.status == 200, answer.body
    file = answer.json()["file"]
    assert file["contentType"] == "application/octet-stream"
    served = await client.request("GET", file["url"])
    assert served.headers["Content-Disposition"].startswith("attachment")
    # What its bytes give away counts all the same.
    program = files.EXE + poison.CRASHES
    refused = await client.upload(THREAD_PATH, program, name="odd.png")
    assert refused.status == 422


@pytest.mark.slow
def test_a_worker_that_has_no_libmagic_does_not_start(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "magic.py").write_text("raise ImportError('failed to find libmagic')\n")
    started = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "workers", "worker"],
        env={**os.environ, **environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert started.returncode == 1
    assert "the worker does not start: libmagic cannot be used" in started.stderr
    assert "failed to find libmagic" in started.stderr


async def test_the_children_of_a_stopped_worker_are_gone(
    own: dict[str, str], own_redis_url: str, tmp_path: Path
) -> None:
    settings = own | {"GATEWAY_BROKER_URL": own_redis_url}
    with start_worker(settings, tmp_path) as worker, Gateway.start(settings, tmp_path) as gateway:
        async with Client.open(gateway.url, TOKENS["alice"]) as client:
            await client.upload(PATH, files.PNG, name="a.png")
        found = psutil.Process(worker.pid).children()
        assert found
    _, left = psutil.wait_procs(found, timeout=30)
    assert left == []
