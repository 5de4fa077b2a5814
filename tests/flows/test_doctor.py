"""`doctor`, as an operator runs it, on a set-up that works and on ten that do not."""

import asyncio
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from kombu import Connection, Exchange, Queue
from redis import Redis

from gateway.stack.part import Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.valkey import Valkey
from tests.servers.listening import listening
from tests.servers.sandbox import Sandbox
from tests.servers.store_proxy import Fault, FaultProxy
from tests.servers.zygote import ForkedPart

pytestmark = pytest.mark.slow

PARTS = {"settings", "store", "redis", "broker", "upstream", "clock", "descriptors", "libmagic"}


async def examine(environ: Mapping[str, str], tmp_path: Path) -> tuple[int, dict[str, str]]:
    """The exit status, and what is said of each part."""
    log = tmp_path / "doctor.log"
    doctor = ForkedPart(["gateway.cli", "doctor"], environ, log, lambda: True)
    async with asyncio.timeout(60):
        while (status := doctor.exit_status) is None:
            await asyncio.sleep(0.05)
    lines = re.findall(r"^(\w+(?: in)?): (.*)$", log.read_text(), re.MULTILINE)
    assert len(lines) == len(log.read_text().splitlines()), "a line that is none of doctor's own"
    said = {name: text for name, text in lines if name not in {"advice", "let in"}}
    assert set(said) == PARTS, log.read_text()
    return status, said


async def only_fault(environ: Mapping[str, str], tmp_path: Path, *parts: str) -> str:
    """What is said of the one part with a fault, or of the first of several."""
    status, said = await examine(environ, tmp_path)
    assert {name for name, text in said.items() if text != "ok"} == set(parts)
    assert status == 1
    return said[parts[0]]


@pytest.mark.usefixtures("sandbox")
async def test_a_set_up_that_works(environ: dict[str, str], tmp_path: Path) -> None:
    assert await examine(environ, tmp_path) == (0, dict.fromkeys(PARTS, "ok"))


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("name", "value", "part", "remedy"),
    [
        ("S3_SECRET_ACCESS_KEY", "wrong", "store", "mend GATEWAY_S3_ACCESS_KEY_ID and"),
        ("S3_BUCKET", "nowhere", "store", "make the bucket, or mend GATEWAY_S3_BUCKET"),
        ("UPSTREAM_URL", f"http://{HOST}:9", "upstream", "mend GATEWAY_UPSTREAM_URL"),
    ],
    ids=["wrong secret", "no bucket", "unreachable upstream"],
)  # fmt: skip
async def test_a_wrong_setting_is_named(
    environ: dict[str, str], tmp_path: Path, name: str, value: str, part: str, remedy: str
) -> None:
    assert remedy in await only_fault({**environ, f"GATEWAY_{name}": value}, tmp_path, part)


@pytest.mark.usefixtures("sandbox")
async def test_a_bucket_that_can_only_be_read(environ: dict[str, str], tmp_path: Path) -> None:
    async with FaultProxy.start(environ["GATEWAY_S3_ENDPOINT_URL"]) as proxy:
        proxy.fail(rb"^(PUT|POST|DELETE) ", Fault.REFUSE)
        through = {**environ, "GATEWAY_S3_ENDPOINT_URL": proxy.url}
        fault = await only_fault(through, tmp_path, "store")
    assert "let the key get, put and delete objects" in fault


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey", free_port())
    with Part(server.command(), tmp_path):
        yield server


@pytest.mark.usefixtures("sandbox")
async def test_a_store_that_does_not_know_heads_with_checksums(
    environ: dict[str, str], tmp_path: Path
) -> None:
    async with FaultProxy.start(environ["GATEWAY_S3_ENDPOINT_URL"]) as proxy:
        proxy.fail(rb"^HEAD /[^/ ]+/[^/ ]", Fault.UNKNOWN)
        through = {**environ, "GATEWAY_S3_ENDPOINT_URL": proxy.url}
        said = await only_fault(through, tmp_path, "store")
    assert "501" in said
    assert "x-amz-checksum-mode" in said


@pytest.mark.usefixtures("sandbox")
async def test_a_redis_that_throws_things_away(
    environ: dict[str, str], own_valkey: Valkey, tmp_path: Path
) -> None:
    with Redis.from_url(own_valkey.url) as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
    settings = {**environ, "GATEWAY_REDIS_URL": own_valkey.url}
    fault = await only_fault(settings, tmp_path, "redis", "broker")
    assert "allkeys-lru" in fault
    assert "CONFIG SET maxmemory-policy noeviction" in fault


@pytest.mark.usefixtures("sandbox")
async def test_a_redis_that_is_only_a_replica(
    environ: dict[str, str], valkey: Valkey, own_valkey: Valkey, tmp_path: Path
) -> None:
    with Redis.from_url(own_valkey.url) as redis:
        redis.replicaof(HOST, valkey.port)
    settings = {**environ, "GATEWAY_REDIS_URL": own_valkey.url}
    assert "name the primary" in await only_fault(settings, tmp_path, "redis", "broker")


@pytest.mark.usefixtures("sandbox")
async def test_a_user_of_redis_that_may_not_do_what_gateways_do(
    environ: dict[str, str], own_valkey: Valkey, tmp_path: Path
) -> None:
    with Redis.from_url(own_valkey.url) as redis:
        redis.acl_setuser(
            "clerk", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-@scripting"]
        )
    url = own_valkey.url.replace("//", "//clerk:any@")
    fault = await only_fault({**environ, "GATEWAY_REDIS_URL": url}, tmp_path, "redis", "broker")
    assert "eval" in fault


@pytest.mark.usefixtures("sandbox")
async def test_what_would_be_better_is_no_fault(
    environ: dict[str, str], own_valkey: Valkey, tmp_path: Path
) -> None:
    with Redis.from_url(own_valkey.url) as redis:
        redis.config_set("appendonly", "no")
    with Connection(own_valkey.url) as another:
        Queue("celery", Exchange("celery"), "celery")(another.channel()).declare()
    settings = {**environ, "GATEWAY_REDIS_URL": own_valkey.url, "GATEWAY_NONSENSE": "1"}
    assert await examine(settings, tmp_path) == (0, dict.fromkeys(PARTS, "ok"))
    advice = re.findall("^advice: (.*)$", (tmp_path / "doctor.log").read_text(), re.MULTILINE)
    for words in ("appendonly yes", "another Celery application", "GATEWAY_NONSENSE"):
        assert len([line for line in advice if words in line]) == 1


@pytest.mark.usefixtures("sandbox")
async def test_an_old_redis(environ: dict[str, str], valkey: Valkey, tmp_path: Path) -> None:
    async with called(valkey, "5.0.9") as url:
        fault = await only_fault({**environ, "GATEWAY_REDIS_URL": url}, tmp_path, "redis", "broker")
    assert re.search(r"version 5\.0\.9+ is too old", fault)


@asynccontextmanager
async def called(valkey: Valkey, version: str) -> AsyncIterator[str]:
    """The URL of the real Valkey, by a wire on which its version reads as another one.

    That is filled up with nines: the length of what is sent must not change.
    """

    def old(real: re.Match[bytes]) -> bytes:
        assert len(real[0]) >= len(version)
        return version.encode().ljust(len(real[0]), b"9")

    async def renamed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(re.sub(rb"(?<=redis_version:)[\d.]+", old, data))
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_valkey, to_valkey = await asyncio.open_connection(HOST, valkey.port)
        try:
            await asyncio.gather(renamed(reader, to_valkey), renamed(from_valkey, writer))
        finally:
            to_valkey.close()  # also where the test's end cancels this

    async with listening(serve, 0) as url:
        yield url.replace("http:", "redis:") + "/0"


async def test_a_token_that_may_not_register(
    environ: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    as_limited = {"Authorization": aiohttp.encode_basic_auth("limited", "secret")}
    asked = {"grant_type": "client_credentials", "scope": "read:application read:channel"}
    async with (
        aiohttp.ClientSession(headers=as_limited) as session,
        session.post(environ["GATEWAY_UPSTREAM_TOKEN_URL"], data=asked) as answer,
    ):
        limited = await answer.json()
    headers = {"Content-Type": "application/json"}
    await sandbox.fault(
        "POST", "/oauth/token", status=200, headers=headers, body=json.dumps(limited)
    )
    settings = {**environ, "GATEWAY_UPSTREAM_CLIENT_ID": "limited"}
    fault = await only_fault(settings, tmp_path, "upstream")
    assert (
        "may not register files at /v1/channels/0/messages: let its client create:message" in fault
    )


@pytest.mark.usefixtures("sandbox")
async def test_a_clock_that_is_off(environ: dict[str, str], tmp_path: Path) -> None:
    fault = await only_fault({**environ, "CLOCK_OFF_BY": "120"}, tmp_path, "clock")
    assert re.search(r"clock is 1[12][0-9] s ahead of .*: have both set theirs by NTP", fault)


def _few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


@pytest.mark.usefixtures("sandbox")
def test_too_few_descriptors_and_no_libmagic(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "magic.py").write_text("raise ImportError('failed to find libmagic')\n")
    done = _run({**environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}, _few_descriptors)
    assert done.returncode == 1
    faults = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert "256 files and sockets only: raise the limit (ulimit -n 65536" in faults["descriptors"]
    assert "failed to find libmagic: install libmagic" in faults["libmagic"]
    assert {name for name in PARTS if faults[name] != "ok"} == {"descriptors", "libmagic"}


def _run(
    environ: Mapping[str, str], prepare: Callable[[], None]
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", "doctor"],
        env={**os.environ, **environ},
        preexec_fn=prepare,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
