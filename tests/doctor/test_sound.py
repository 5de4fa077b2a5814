"""`doctor`, as an operator runs it, on a set-up that works; those that do not: tests/doctor."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from redis import Redis

from gateway.stack.part import Part
from gateway.stack.ports import free_port
from gateway.stack.valkey import Valkey
from tests.doctor.wires import declare_as_another
from tests.servers.zygote import ForkedPart

pytestmark = pytest.mark.slow

PARTS = {
    *("settings", "store", "redis", "broker", "agreement", "upstream"),
    *("clock", "descriptors", "libmagic"),
}


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


@pytest.mark.usefixtures("sandbox")
async def test_a_set_up_that_works(
    environ: dict[str, str], own_redis_url: str, tmp_path: Path
) -> None:
    settings = {**environ, "GATEWAY_REDIS_URL": own_redis_url}
    assert await examine(settings, tmp_path) == (0, dict.fromkeys(PARTS, "ok"))


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey", free_port())
    with Part(server.command(), tmp_path):
        yield server


@pytest.mark.usefixtures("sandbox")
async def test_what_would_be_better_is_no_fault(
    environ: dict[str, str], own_valkey: Valkey, tmp_path: Path
) -> None:
    with Redis.from_url(own_valkey.url) as redis:
        redis.config_set("appendonly", "no")
    declare_as_another(own_valkey.url)
    settings = {**environ, "GATEWAY_REDIS_URL": own_valkey.url, "GATEWAY_NONSENSE": "1"}
    assert await examine(settings, tmp_path) == (0, dict.fromkeys(PARTS, "ok"))
    advice = re.findall("^advice: (.*)$", (tmp_path / "doctor.log").read_text(), re.MULTILINE)
    for words in ("appendonly yes", "another Celery application", "GATEWAY_NONSENSE"):
        assert len([line for line in advice if words in line]) == 1
