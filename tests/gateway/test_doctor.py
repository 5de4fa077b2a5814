"""`doctor` on the settings alone: what it says, as text and as JSON, and its exit statuses."""

import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

import pytest

from gateway.checkup.parts import Part

KEY: Final = "A" * 43 + "="


def doctor(environ: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "gateway.cli", "doctor", *arguments],
        env={"GATEWAY_SECRET_KEY": KEY, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def as_json(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    told: dict[str, Any] = json.loads(line)
    assert set(told) == {"ok", "parts", "let_in"}
    assert told["ok"] == (done.returncode == 0)
    assert set(told["parts"]) <= set(Part)
    for part in told["parts"].values():
        assert set(part) == {"ok", "fault", "advice"}
        assert part["ok"] == (part["fault"] is None)
    return told


def test_the_settings_alone_ask_nothing_of_anybody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        nobody.settimeout(0)
        url = f"127.0.0.1:{nobody.getsockname()[1]}"
        environ = {
            "GATEWAY_REDIS_URL": f"redis://{url}",
            "GATEWAY_S3_ENDPOINT_URL": f"http://{url}",
            "GATEWAY_UPSTREAM_URL": f"http://{url}",
            "GATEWAY_DELIVRY": "relay",
        }
        told = as_json(doctor(environ, "--only", "settings", "--json"))
        with pytest.raises(BlockingIOError):
            nobody.accept()
    assert set(told["parts"]) == {"settings"}
    assert any("GATEWAY_DELIVRY" in line for line in told["parts"]["settings"]["advice"])


def test_settings_that_cannot_be_used_are_status_2() -> None:
    said = doctor({"GATEWAY_PORT": "x"}, "--only", "settings")
    assert (said.returncode, said.stdout) == (2, "")
    assert "GATEWAY_PORT" in said.stderr
    told = doctor({"GATEWAY_PORT": "x"}, "--json")
    assert told.returncode == 2
    assert "GATEWAY_PORT" in as_json(told)["parts"]["settings"]["fault"]


def test_a_part_that_is_not_used_is_no_part_that_works() -> None:
    done = doctor({}, "--only", "jwt")
    assert done.returncode == 2
    assert "GATEWAY_AUTH does not name jwt" in done.stderr


def test_each_part_alone_is_told_alone() -> None:
    nowhere = {"GATEWAY_REDIS_URL": "redis://127.0.0.1:9"}
    done = doctor(nowhere, "--only", "redis", "--only", "descriptors", "--json")
    assert done.returncode == 1
    told = as_json(done)["parts"]
    assert set(told) == {"redis", "descriptors"}
    assert not told["redis"]["ok"]
