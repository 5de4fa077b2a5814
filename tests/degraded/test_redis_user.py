"""A Redis user with rights to one prefix only, by the rule in docs/redis.md."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from socket import gethostname
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.uploads.lifecycle import Step
from tests.degraded.conftest import IMPORTS, PATH, RESPOND_ASYNC, Scene, Server, eventually
from tests.flows import files
from tests.flows.resuming import begin, create
from tests.servers.zygote import ForkedPart

NODE = f"celery@{gethostname()}"

PREFIX = "chatkitty:"
USER, PASSWORD = "chatkitty", "p@ss:w/rd%#?&+é"
PAGE = Path(__file__).parents[2] / "docs" / "redis.md"


def rule() -> list[str]:
    """As ACL SETUSER accepts it, with that password."""
    (line,) = re.findall(rf"^user {USER} (.*~{PREFIX}\*.*)$", PAGE.read_text(), re.MULTILINE)
    return [f">{PASSWORD}" if word == ">PASSWORD" else word for word in line.split()]


@pytest.fixture
async def administrator(own_redis: tuple[Server, str]) -> AsyncIterator[Redis]:
    async with Redis.from_url(own_redis[1]) as redis:
        await redis.execute_command("ACL", "SETUSER", USER, *rule())
        await redis.acl_log_reset()
        yield redis
        assert offences(await redis.acl_log()) == []


def offences(log: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [(each["reason"], each["object"], each["context"]) for each in log]


@pytest.fixture
def as_that_user(own_environ: dict[str, str], administrator: Redis) -> Redis:
    own_environ.update(
        {
            "GATEWAY_REDIS_USERNAME": USER,
            "GATEWAY_REDIS_PASSWORD": PASSWORD,
            "GATEWAY_REDIS_PREFIX": PREFIX,
            "GATEWAY_SWEEP_INTERVAL": "1",
        }
    )
    return administrator


def celery(scene: Scene, *command: str) -> None:
    argv = [sys.executable, "-m", "celery", "-A", "workers", *command]
    environ = {**os.environ, **scene.environ}
    subprocess.run(argv, env=environ, check=True, capture_output=True, timeout=60)


async def doctor(scene: Scene, tmp_path: Path) -> str:
    log = tmp_path / "doctor.log"
    part = ForkedPart(["gateway.cli", "doctor"], scene.environ, log, lambda: True)
    async with asyncio.timeout(60):
        while part.exit_status is None:
            await asyncio.sleep(0.05)
    assert part.exit_status == 0, log.read_text()
    return log.read_text()


async def test_the_whole_stack_works_as_the_documented_redis_user(
    as_that_user: Redis, scene: Scene, tmp_path: Path
) -> None:
    administrator = as_that_user
    quota = {
        "subject_requests": "1000",
        "subject_bytes": "100000000",
        "subject_uploads": "50",
        "subject_sessions": "1",
        "serve_files": "stream",
    }
    gateways = [scene.start_gateway(**quota), scene.start_gateway(delivery="relay", **quota)]
    worker = scene.start_worker()
    argv = ["celery.__main__", "-A", "workers", "beat", "-s", str(tmp_path / "schedule")]
    beat = ForkedPart(argv, scene.environ, tmp_path / "beat.log", lambda: True)
    scene.stack.callback(beat.stop)
    async with scene.alice(gateways[0]) as hosting, scene.alice(gateways[1]) as relaying:
        assert (await hosting.upload(PATH, files.PNG, name=scene.name)).status == 200
        later = await hosting.upload(PATH, files.PNG, name=scene.name, headers=RESPOND_ASYNC)
        assert await scene.is_registered_once(hosting, later)
        keyed = {"Idempotency-Key": "the-same"}
        for headers in ({}, keyed, keyed):
            answer = await relaying.upload(PATH, files.PNG, name=scene.name, headers=headers)
            assert answer.status == 200
        relayed = await relaying.upload(IMPORTS, b"[]", name="users.json")
        assert (await relaying.end_of(relayed.upload_id))["state"] == "audited"
        listed = await hosting.request("GET", "/gateway/uploads")
        assert len(listed.json()["uploads"]) == 5
        await begin(hosting)
        assert (await create(hosting, {"Upload-Length": "9"})).status == 429

        # ChatKitty is down: the breaker opens, and steps are tried again later.
        await scene.sandbox.fault("POST", PATH, times=1, status=503)
        retried = await hosting.upload(PATH, files.PNG, name=scene.name, headers=RESPOND_ASYNC)
        assert await scene.is_registered_once(hosting, retried)
        # One worker is stopped with a task in progress, and another one continues.
        scene.backends.queue.send(Step.RESUME, retried.upload_id)
        worker.stop()
        scene.start_worker()

        async def is_ready() -> bool:
            return (await hosting.request("GET", "/gateway/readyz")).status == 200

        await eventually(is_ready)
        metrics = await hosting.request("GET", f"{gateways[0].admin_url}/metrics")
        assert b'chatkitty_gateway_queue_depth{queue="uploads.audit"}' in metrics.body
        await asyncio.to_thread(celery, scene, "inspect", "ping", "-d", NODE, "-t", "60")
    said = await doctor(scene, tmp_path)
    assert "redis: ok" in said
    assert "broker: ok" in said
    assert offences(await administrator.acl_log()) == []
    names = [name.decode() async for name in administrator.scan_iter()]
    assert names
    assert [name for name in names if not name.startswith(PREFIX)] == []


async def test_the_documented_redis_user_can_reach_nothing_else(administrator: Redis) -> None:
    pool = administrator.connection_pool.connection_kwargs
    user = Redis(host=pool["host"], port=pool["port"], username=USER, password=PASSWORD)
    async with user:
        await administrator.set("uploads:relayed", 1)
        assert await user.set(f"{PREFIX}key", 1)
        for command in (
            ["GET", "uploads:relayed"],
            ["PUBLISH", "uploads:ended", "id"],
            ["KEYS", "*"],
            ["SCAN", "0"],
            ["FLUSHALL"],
            ["CONFIG", "GET", "*"],
            ["CLIENT", "KILL", "TYPE", "normal"],
            ["ACL", "LIST"],
            ["SHUTDOWN"],
            ["EVAL", "return redis.call('GET', 'uploads:relayed')", "0"],
        ):
            with pytest.raises(Exception, match=r"(?i)permission|not allowed"):
                await user.execute_command(*command)
        assert len(await administrator.acl_log()) > 1
        await administrator.acl_log_reset()
