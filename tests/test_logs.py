"""What is logged is what `docs/logs.md` says, and bears the ids by which it is found again."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.events import ROOT, Event, logged
from tests.flows import files
from tests.flows.client import Client
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import CHANNEL, TOKENS

DOCS = ROOT / "docs" / "logs.md"
IDS = {"request_id", "upload_id"}


def documented() -> Mapping[str, tuple[set[str], set[str]]]:
    """Levels and fields of each event, as the page has them."""
    table = DOCS.read_text().split("## Events")[1]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    return {
        cells[1].strip(" `"): (
            set(cells[2].strip().split(", ")),
            set(re.findall(r"`(\w+)`", cells[3])),
        )
        for cells in rows
    }


def test_every_event_is_documented_with_its_fields_and_nothing_else() -> None:
    request = Event({"info"}, {"method", "path", "status", "seconds", "client"})  # log_request's
    there = {
        name: (event.levels, event.fields - IDS)
        for name, event in {**logged(), "request": request}.items()
    }
    assert documented() == there


@pytest.fixture
def worker_log(environ: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    with start_worker(environ, tmp_path) as worker:
        yield worker.log


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relay_gateway", "external_gateway"])
async def test_gateway_and_worker_log_an_upload_under_the_same_ids(
    request: pytest.FixtureRequest, worker_log: Path, name: str
) -> None:
    gateway: Gateway = request.getfixturevalue(name)
    ended: list[dict[str, Any]] = []
    async with Client.open(gateway.url, TOKENS["alice"]) as client, asyncio.timeout(30):
        number = 0
        while not ended:  # other workers of this test run may take some of them
            number += 1
            own = {"X-Request-Id": f"{name}.{number}"}
            answer = await client.upload(f"/v1/channels/{CHANNEL}/messages", files.PNG, headers=own)
            assert answer.status == 200
            await asyncio.sleep(0.2)
            ended = [
                line
                for line in lines(worker_log)
                if line["event"] == "upload.ended" and line["request_id"].startswith(name)
            ]
    taken = [line for line in lines(gateway.log) if line["event"] == "request"]
    ids = {(line["request_id"], line.get("upload_id")) for line in taken}
    assert {(line["request_id"], line["upload_id"]) for line in ended} <= ids


@pytest.mark.slow
def test_a_worker_applies_the_log_levels_of_modules_and_libraries(
    environ: dict[str, str], own_redis_url: str, tmp_path: Path
) -> None:
    environ = environ | {"GATEWAY_REDIS_URL": own_redis_url}  # without another's tasks
    levels = {"GATEWAY_LOG_LEVELS": "workers.libmagic:debug,celery.worker:info"}
    with start_worker({**environ, **levels}, tmp_path) as loud:
        assert ("libmagic.started", "debug") in events(loud.log)
        assert any(line.get("logger", "").startswith("celery.worker") for line in lines(loud.log))
    with start_worker(environ, tmp_path) as plain:
        assert events(plain.log) == {("worker.ready", "info")}
        assert "libmagic.started" not in plain.log.read_text()


def events(log: Path) -> set[tuple[str, str]]:
    return {(line["event"], line["level"]) for line in lines(log)}


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
