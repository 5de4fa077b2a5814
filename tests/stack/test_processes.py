"""What follows a death; and real processes that are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gateway.revival import LONGEST_PAUSE, QUICK_SECONDS, death_of
from gateway.server.supervisor import CRASH_LOOP, MOST_QUICK_DEATHS, end_after
from gateway.stack.ports import free_ports
from gateway.stack.probes import answers
from tests.processes import is_alive

_PATIENCE = 100.0


def test_a_process_that_served_is_started_again_at_once() -> None:
    death = death_of(-9, QUICK_SECONDS, 4, first=False)
    assert (death.quick, death.pause, end_after(death)) == (0, 0.0, None)


def test_quick_deaths_are_followed_by_growing_pauses_and_then_by_the_end() -> None:
    deaths = [death_of(1, 0.1, quick, first=False) for quick in range(MOST_QUICK_DEATHS)]
    assert [end_after(death) for death in deaths] == [*[None] * (len(deaths) - 1), CRASH_LOOP]
    pauses = [death.pause for death in deaths]
    assert pauses == sorted(set(pauses))
    assert death_of(1, 0.1, 50, first=False).pause == LONGEST_PAUSE


def test_settings_that_the_first_one_refuses_are_not_tried_again() -> None:
    assert end_after(death_of(2, 0.1, 0, first=True)) == 2
    assert end_after(death_of(2, 0.1, 0, first=False)) is None


@contextmanager
def serving(
    environ: dict[str, str], count: int, log: Path
) -> Iterator["tuple[subprocess.Popen[bytes], str]"]:
    port, admin_port = free_ports(2)
    own = {"GATEWAY_PORT": str(port), "GATEWAY_ADMIN_PORT": str(admin_port)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", "--processes", str(count)],
            env={**os.environ, **environ, **own},
            stderr=output,
        )
    try:
        yield process, f"http://127.0.0.1:{port}/gateway/healthz"
    finally:
        process.kill()
        process.wait()


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not check():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


def children(process: "subprocess.Popen[bytes]") -> set[int]:
    found = psutil.Process(process.pid).children()
    return {child.pid for child in found if is_alive(child.pid)}


def events(log: Path) -> list[str]:
    return [json.loads(line).get("event", "") for line in log.read_text().splitlines()]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "serve.log"


def test_a_killed_process_is_restarted_while_the_other_serves(
    environ: dict[str, str], log: Path
) -> None:
    with serving(environ, 2, log) as (process, url):
        eventually(lambda: events(log).count("gateway.serving") == 2)
        one, other = sorted(children(process))
        os.kill(one, signal.SIGKILL)
        eventually(lambda: events(log).count("gateway.serving") == 3)
        assert other in children(process)
        assert len(children(process)) == 2
        assert answers(url, below=300)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE) == 0
        assert not answers(url)


def test_a_crash_loop_ends_all_processes(environ: dict[str, str], log: Path) -> None:
    with serving(environ, 2, log) as (process, _):
        eventually(lambda: events(log).count("gateway.serving") == 2)
        crashing = min(children(process))
        for _ in range(MOST_QUICK_DEATHS + 1):  # the first may have lived long
            before = children(process)
            os.kill(crashing, signal.SIGKILL)
            eventually(lambda: process.poll() is not None or bool(children(process) - before))  # noqa: B023 - called at once
            if process.poll() is not None:
                break
            (crashing,) = children(process) - before
        assert process.wait(_PATIENCE) == CRASH_LOOP
        assert "processes.crash_loop" in events(log)


def test_a_refusal_to_listen_ends_all_processes_with_its_status(
    environ: dict[str, str], log: Path
) -> None:
    # An address that no interface has.
    with serving({**environ, "GATEWAY_HOST": "192.0.2.1"}, 2, log) as (process, _):
        assert process.wait(_PATIENCE) == 2


def test_processes_end_with_a_killed_supervisor(environ: dict[str, str], log: Path) -> None:
    with serving(environ, 2, log) as (process, _):
        eventually(lambda: events(log).count("gateway.serving") == 2)
        orphans = children(process)
        process.kill()
        process.wait()
        eventually(lambda: not any(map(psutil.pid_exists, orphans)))
