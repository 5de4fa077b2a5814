import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.metrics.directory import metrics_directory, sweep
from tests.processes import is_alive

pytestmark = pytest.mark.slow

# A supervisor that makes a directory and starts a process that shares it, both until they are
# told to end; it tells the directory and the process's id.
SUPERVISOR = """
import os, subprocess, sys
from gateway.metrics.directory import metrics_directory
process = (
    "import os, pathlib, sys; from gateway.metrics.shared import Shared;"
    "shared = Shared(pathlib.Path(os.environ['GATEWAY_METRICS_DIR']));"
    "shared.write(); print('shares', flush=True); sys.stdin.read()"
)
with metrics_directory({}) as environ:
    child = subprocess.Popen(
        [sys.executable, "-c", process], env={**os.environ, **environ}, stdout=subprocess.PIPE
    )
    child.stdout.readline()
    print(environ["GATEWAY_METRICS_DIR"], child.pid, flush=True)
    sys.stdin.read()
"""


@contextmanager
def supervisor() -> Iterator[tuple[subprocess.Popen[str], Path, int]]:
    """It, its directory, and the process that it started; the block kills what it wants dead."""
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        made, pid = process.stdout.readline().split()
        yield process, Path(made), int(pid)
        assert process.stdin is not None
        process.stdin.close()


def _kill(pid: int) -> None:
    """Kill what need not be a child of ours, and wait for its end."""
    os.kill(pid, signal.SIGKILL)
    while is_alive(pid):
        time.sleep(0.01)


def test_directory_of_a_killed_supervisor_goes_after_its_processes() -> None:
    with supervisor() as (killed, left, pid):
        killed.kill()
        killed.wait()
        with metrics_directory({}):
            assert {path.name for path in left.iterdir()} == {"0.lock", "0.counted"}
        _kill(pid)
        with metrics_directory({}) as environ:
            assert not left.exists()
            assert Path(environ["GATEWAY_METRICS_DIR"]).is_dir()


def test_directory_of_a_living_supervisor_stays() -> None:
    with supervisor() as (process, made, pid):
        _kill(pid)
        sweep(made.parent)
        assert (made / "0.counted").exists()
    assert process.returncode == 0
    assert not made.exists()


def test_nothing_is_removed_that_is_not_ours(tmp_path: Path) -> None:
    strange = tmp_path / "chatkitty-gateway-metrics-notes"
    strange.mkdir()
    (strange / "notes.txt").write_text("mine")
    linked = tmp_path / "elsewhere"
    linked.mkdir()
    (linked / "0.counted").touch()
    (tmp_path / "chatkitty-gateway-metrics-link").symlink_to(linked)
    (tmp_path / "chatkitty-gateway-metrics-file").touch()
    (tmp_path / "chatkitty-gateway-other").mkdir()
    before = sorted(tmp_path.rglob("*"))
    sweep(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_many_that_make_and_sweep_at_once_leave_each_other_alone() -> None:
    script = (
        "import os; from pathlib import Path; from gateway.metrics.directory import *\n"
        "for _ in range(200):\n"
        "    with metrics_directory({}) as environ:\n"
        "        assert Path(environ[DIRECTORY]).is_dir()\n"
        "        sweep(Path(environ[DIRECTORY]).parent)\n"
        "        assert Path(environ[DIRECTORY]).is_dir()\n"
    )
    racers = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [racer.wait() for racer in racers] == [0] * 4


def test_the_directory_that_was_made_goes_and_one_that_was_given_stays(tmp_path: Path) -> None:
    with metrics_directory({}) as environ:
        made = Path(environ["GATEWAY_METRICS_DIR"])
        assert made.is_dir()
    assert not made.exists()
    with metrics_directory({"GATEWAY_METRICS_DIR": str(tmp_path)}) as environ:
        assert environ["GATEWAY_METRICS_DIR"] == str(tmp_path)
    assert tmp_path.exists()
