"""Celery's own tools and Flower, used as usual next to a working worker."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.probes import answers
from gateway.stack.seaweedfs import SeaweedFS
from gateway.stack.valkey import Valkey
from gateway.uploads.lifecycle import Step
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.servers.fixtures import open_store
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import CHANNEL, TOKENS
from tests.servers.zygote import ForkedPart

NODE = "celery@tools"
PATH = f"/v1/channels/{CHANNEL}/messages"
CELERY = (sys.executable, "-m", "celery")
SLOTS = 32
PASSWORD = "of-this-broker"
OPERATOR = ("operator", "of-this-test")


@pytest.fixture(scope="module")
def own(environ: dict[str, str], valkey: Valkey, seaweedfs: SeaweedFS) -> dict[str, str]:
    """The settings of a gateway and a worker that nobody else's uploads reach."""
    bucket = replace(seaweedfs, bucket="tools")
    asyncio.run(_make(bucket))
    return environ | {
        **bucket.settings(),
        "GATEWAY_DELIVERY": "external",
        # A user without a password, as Valkey's default one, may give any.
        "GATEWAY_REDIS_URL": f"redis://default:{PASSWORD}@{HOST}:{valkey.port}/14",
    }


async def _make(bucket: SeaweedFS) -> None:
    async with open_store(bucket) as store:
        await store.ensure_bucket()


@pytest.fixture(scope="module")
def worker(own: dict[str, str], servers_dir: Path) -> Iterator[ForkedPart]:
    with start_worker(own, servers_dir, "-n", NODE) as started:
        yield started


@pytest.fixture
async def client(own: dict[str, str], servers_dir: Path) -> AsyncIterator[Client]:
    with Gateway.start(own, servers_dir) as gateway:
        async with Client.open(gateway.url, TOKENS["alice"]) as opened:
            yield opened


def inspect(own: dict[str, str], what: str) -> str:
    """What `celery inspect` says, which is JSON."""
    command = [*CELERY, "-A", "workers", "inspect", what, "--json", "-d", NODE, "-t", "60"]
    done = subprocess.run(
        command, env=os.environ | own, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


@pytest.mark.usefixtures("worker")
async def test_inspect_tells_what_a_worker_does_and_no_secret(
    own: dict[str, str], client: Client
) -> None:
    answer = await client.upload(PATH, files.PNG)
    assert answer.status == 200
    asked = ("ping", "active", "active_queues", "stats", "registered", "conf", "report")
    answered = await asyncio.gather(*(asyncio.to_thread(inspect, own, what) for what in asked))
    said = dict(zip(asked, answered, strict=True))
    found = {what: json.loads(text)[NODE] for what, text in said.items()}
    assert found["ping"] == {"ok": "pong"}
    assert {queue["name"] for queue in found["active_queues"]} == set(Step)
    assert set(Step) <= set(found["registered"])
    assert found["stats"]["pool"]["max-concurrency"] == SLOTS
    assert found["stats"]["total"][Step.INSPECT] >= 1
    assert found["active"] == []
    for secret in _secrets(own):
        assert [what for what, text in said.items() if secret in text] == []


@pytest.mark.usefixtures("worker")
async def test_flower_shows_what_workers_do_to_authorised_users(
    own: dict[str, str], client: Client, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://{HOST}:{port}"
    command = Command(
        "flower",
        [*CELERY, "flower", f"--address={HOST}", f"--port={port}", "--read_only"],
        lambda: answers(f"{url}/healthcheck", below=300),
        # None of our settings: the broker is all that it needs.
        {"BROKER_URL": own["GATEWAY_REDIS_URL"], "FLOWER_BASIC_AUTH": ":".join(OPERATOR)},
    )
    known = {"Authorization": aiohttp.encode_basic_auth(*OPERATOR)}
    with Part(command, tmp_path):
        async with aiohttp.ClientSession() as stranger:
            for path in ("/workers", "/tasks", "/api/workers", "/api/tasks", f"/worker/{NODE}"):
                assert (await stranger.get(url + path)).status == 401
            assert (await stranger.get(f"{url}/metrics")).status == 200
        async with aiohttp.ClientSession(url, headers=known) as operator:
            await _seen(operator, "/api/workers?refresh=1", NODE)
            upload_ids = set()
            async with asyncio.timeout(PATIENCE):
                told: list[Any] = []
                while not told:  # until the worker has heard that it is to send events
                    answer = await client.upload(PATH, files.PNG, name="private.png")
                    assert answer.status == 200
                    upload_ids.add(answer.upload_id)
                    tasks = await _json(operator, "/api/tasks")
                    told = [task for task in tasks.values() if task["name"] == Step.INSPECT]
            assert {task["args"] for task in told} <= {f"[['{each}']]" for each in upload_ids}
            # No more than ids: neither names nor tokens, and nobody can have a worker end.
            pages = [await _text(operator, path) for path in ("/api/tasks", f"/worker/{NODE}")]
            for secret in ("private.png", TOKENS["alice"], *_secrets(own)):
                assert not any(secret in page for page in pages)
            shutdown = await operator.post(f"/api/worker/shutdown/{NODE}")
            assert shutdown.status == 403
    assert json.loads(inspect(own, "ping"))[NODE] == {"ok": "pong"}


async def _seen(operator: aiohttp.ClientSession, path: str, name: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while name not in await _json(operator, path):
            await asyncio.sleep(0.2)


async def _json(operator: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await _text(operator, path))
    return found


async def _text(operator: aiohttp.ClientSession, path: str) -> str:
    async with operator.get(path) as answer:
        text = await answer.text()
        assert answer.status == 200, text
        return text


def _secrets(own: dict[str, str]) -> list[str]:
    names = ("GATEWAY_SECRET_KEY", "GATEWAY_UPSTREAM_CLIENT_SECRET", "GATEWAY_S3_SECRET_ACCESS_KEY")
    return [PASSWORD, *(own[name] for name in names)]


def test_a_worker_with_a_pool_that_steps_cannot_use_does_not_start(own: dict[str, str]) -> None:
    pool = {"CELERY_CUSTOM_WORKER_POOL": "celery.concurrency.base:BasePool"}
    done = subprocess.run(
        [*CELERY, "-A", "workers", "worker", "--pool", "custom"],
        env={**os.environ, **own, **pool, "GATEWAY_DELIVRY": "relay"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "its pool may be threads, processes, solo" in done.stderr
    assert "did you mean `GATEWAY_DELIVERY`?" in done.stdout + done.stderr
