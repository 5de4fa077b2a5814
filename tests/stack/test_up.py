"""`chatkitty-gateway up`, as a user runs it: real parts, all of them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from gateway.stack.probes import answers
from tests.flows import files, raw
from tests.flows.client import Client
from tests.processes import is_alive
from tests.servers.metrics import scrape, until

_PATIENCE = 120.0
COMMAND = (sys.executable, "-m", "gateway.cli")
SETTINGS = {"GATEWAY_SWEEP_INTERVAL": "5"}


class Up:
    """A running `up --json`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout is not None
        self.line = process.stdout.readline()
        self.told: dict[str, Any] = json.loads(self.line)

    def pids(self) -> list[int]:
        return [pid for pids in self.told["pids"].values() for pid in pids]


@contextmanager
def up(data_dir: Path, *options: str, **settings: str) -> Iterator[Up]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    process = subprocess.Popen(
        [*COMMAND, "up", "--json", "--port", "0", "--data-dir", str(data_dir), *options],
        env=environ | SETTINGS | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Up(process)
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=_PATIENCE)
    assert process.returncode in (0, -signal.SIGKILL), errors


def address(stack: Up) -> tuple[str, int]:
    url = urlsplit(stack.told["gateway"])
    assert url.hostname is not None
    assert url.port is not None
    return url.hostname, url.port


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not check():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "up"


async def test_a_second_run_finds_what_the_first_one_left(data_dir: Path) -> None:
    with up(data_dir, "--processes", "2") as first:
        told = first.told
        assert set(told) == {
            "gateway", "admin", "worker_metrics", "sandbox", "token", "subject", "other_token",
            "channel", "redis", "s3", "pids", "admin_token", "try_url",
        }  # fmt: skip
        assert {name: len(pids) for name, pids in told["pids"].items()} == {
            "gateway": 2, "worker": 1, "beat": 1, "redis": 1, "s3": 1, "sandbox": 1,
        }  # fmt: skip
        path = f"/v1/channels/{told['channel']}/messages"
        async with Client.open(told["gateway"], told["token"]) as client:
            answer = await client.upload(path, files.PNG, name="a.png")
            assert answer.json()["file"]["type"] == "EXTERNAL", answer.body
            stranger = client.as_another(told["other_token"])
            hidden = await stranger.request("GET", f"/gateway/uploads/{answer.upload_id}")
            assert hidden.status == 404
            eventually(lambda: answers(f"{told['admin']}/gateway/readyz", below=300))
            address, _, known = told["try_url"].partition("#")
            assert known == f"token={told['token']}&channel={told['channel']}"
            assert (await client.request("GET", address)).status == 200
            operator = client.as_another(told["admin_token"])
            listed = await operator.request(
                "GET", f"{told['admin']}/gateway/admin/uploads?state=all"
            )
            assert [each["id"] for each in listed.json()["uploads"]] == [answer.upload_id]
        # Whichever gateway is asked tells of both; the worker has an address of its own.
        for _ in range(5):
            await until(
                told["admin"],
                lambda it: (
                    (it.value("processes"), it.value("uploads_total", outcome="taken")) == (2, 1)
                ),
            )
        work = await scrape(told["worker_metrics"].removesuffix("/metrics"))
        assert work.value("upload_ends_total", delivery="external", state="registered") == 1
    assert not [pid for pid in first.pids() if is_alive(pid)]
    with up(data_dir) as second:
        assert second.told["token"] == told["token"]
        async with Client.open(second.told["gateway"], told["token"]) as client:
            assert (await client.resource(answer.upload_id))["state"] == "registered"
            messages = (await client.request("GET", path)).json()["_embedded"]["messages"]
            assert messages[0]["id"] == answer.json()["id"]
            served = answer.json()["file"]["url"].replace(told["gateway"], second.told["gateway"])
            assert (await client.request("GET", served)).body == files.PNG


def test_a_part_that_dies_is_started_again_and_none_outlives_a_killed_launcher(
    data_dir: Path,
) -> None:
    with up(data_dir) as stack:
        killed = {stack.told["pids"][part][0] for part in ("redis", "gateway")}
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        launcher = psutil.Process(stack.process.pid)
        eventually(lambda: not [pid for pid in killed if is_alive(pid)])
        eventually(lambda: len([c for c in launcher.children() if is_alive(c.pid)]) == 6)
        children = [child.pid for child in launcher.children()]
        launcher.kill()
        eventually(lambda: not [pid for pid in children if is_alive(pid)])


async def test_a_second_signal_cuts_what_the_first_one_lets_end(data_dir: Path) -> None:
    settings = {"GATEWAY_DELIVERY": "relay", "GATEWAY_DRAIN_TIMEOUT": "3000"}
    with up(data_dir, **settings) as stack:
        (gateway,) = stack.told["pids"]["gateway"]
        _, writer = await asyncio.open_connection(*address(stack))
        token = f"Authorization: Bearer {stack.told['token']}"
        path = f"/v1/channels/{stack.told['channel']}/messages"
        writer.write(raw.head(path, token, raw.FORM_TYPE, "Content-Length: 1000000"))
        writer.write(raw.form(b"x" * 500_000)[:500_000])
        await writer.drain()
        stack.process.send_signal(signal.SIGTERM)
        eventually(lambda: not answers(f"{stack.told['gateway']}/gateway/healthz"))
        assert is_alive(gateway)
        stack.process.send_signal(signal.SIGTERM)
        assert stack.process.wait(_PATIENCE) == 0
        assert not [pid for pid in stack.pids() if is_alive(pid)]
        writer.close()


def test_settings_of_the_environment_win_and_faults_are_reported(data_dir: Path) -> None:
    environ = os.environ | {"GATEWAY_HASH": "md5", "GATEWAY_AUTH": "nobody"}
    done = subprocess.run(
        [*COMMAND, "serve"], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "error: GATEWAY_HASH:" in done.stderr
    assert "error: GATEWAY_AUTH.0:" in done.stderr
    assert not data_dir.exists()
