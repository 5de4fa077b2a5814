"""`doctor` on the settings alone: what it says, as text and as JSON, and its exit statuses."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.doctor.parts import Part
from tests.flows.client import PATIENCE
from tests.servers.zygote import ForkedPart

KEY: Final = "A" * 43 + "="


@dataclass(frozen=True)
class Done:
    """A run that has ended: its status, and all that it wrote, by any way."""

    status: int
    lines: list[str]


Doctor = Callable[..., Awaitable[Done]]


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    """Runs it with settings, and arguments."""

    async def run(environ: Mapping[str, str], *arguments: str) -> Done:
        log = tmp_path / "doctor.log"
        environ = {"GATEWAY_SECRET_KEY": KEY, **environ}
        part = ForkedPart(["gateway.cli", "doctor", *arguments], environ, log, lambda: True)
        async with asyncio.timeout(PATIENCE):
            while (status := part.exit_status) is None:
                await asyncio.sleep(0.02)
        lines = log.read_text().splitlines()
        log.unlink()
        return Done(status, lines)

    return run


def as_json(done: Done) -> dict[str, Any]:
    (line,) = done.lines
    told: dict[str, Any] = json.loads(line)
    assert set(told) == {"ok", "parts", "let_in"}
    assert told["ok"] == (done.status == 0)
    assert set(told["parts"]) <= set(Part)
    for part in told["parts"].values():
        assert set(part) == {"ok", "fault", "advice"}
        assert part["ok"] == (part["fault"] is None)
    return told


async def test_checking_only_the_settings_needs_no_network(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        nobody.settimeout(0)
        url = f"127.0.0.1:{nobody.getsockname()[1]}"
        environ = {
            "GATEWAY_REDIS_URL": f"redis://{url}",
            "GATEWAY_S3_ENDPOINT_URL": f"http://{url}",
            "GATEWAY_UPSTREAM_URL": f"http://{url}",
            "GATEWAY_DELIVRY": "relay",
        }
        told = as_json(await doctor(environ, "--only", "settings", "--json"))
        with pytest.raises(BlockingIOError):
            nobody.accept()
    assert set(told["parts"]) == {"settings"}
    assert any("GATEWAY_DELIVRY" in line for line in told["parts"]["settings"]["advice"])


async def test_settings_that_cannot_be_used_are_status_2(doctor: Doctor) -> None:
    said = await doctor({"GATEWAY_PORT": "x"}, "--only", "settings")
    assert said.status == 2
    (line,) = said.lines
    assert line.startswith("error: GATEWAY_PORT")
    told = await doctor({"GATEWAY_PORT": "x"}, "--json")
    assert told.status == 2
    assert "GATEWAY_PORT" in as_json(told)["parts"]["settings"]["fault"]


async def test_a_part_that_is_not_used_is_no_part_that_works(doctor: Doctor) -> None:
    done = await doctor({}, "--only", "jwt")
    assert done.status == 2
    assert "GATEWAY_AUTH does not name jwt" in done.lines[0]


async def test_one_chosen_part_is_reported_alone(doctor: Doctor) -> None:
    nowhere = {"GATEWAY_REDIS_URL": "redis://127.0.0.1:9"}
    done = await doctor(nowhere, "--only", "redis", "--only", "descriptors", "--json")
    assert done.status == 1
    told = as_json(done)["parts"]
    assert set(told) == {"redis", "descriptors"}
    assert not told["redis"]["ok"]
