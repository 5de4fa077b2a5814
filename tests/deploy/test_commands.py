"""The commands of image, compose and units, as process 1 of a container that may do little."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.stack.part import Command
from gateway.stack.ports import free_port, free_ports
from gateway.stack.probes import answers, says
from tests.deploy import confine
from tests.deploy.compose import command_of
from tests.deploy.container import contained
from tests.deploy.dockerfile import stages
from tests.deploy.tools import DEPLOY, analysed
from tests.programs import needs

SYSTEMD = DEPLOY / "systemd"
IMAGE = dict(stages((DEPLOY / "Dockerfile").read_text())[-1])
VENV = Path(sys.executable).parent

confined = needs(there=confine.HEADER.exists(), what="the numbers of system calls are not known")


def _unit(name: str) -> Path:
    return SYSTEMD / f"chatkitty-gateway{name}.service"


def _words(name: str) -> list[str]:
    """What a unit starts."""
    (line,) = re.findall(
        r"(?m)^ExecStart=/opt/chatkitty-gateway/bin/(.*)$", _unit(name).read_text()
    )
    return str(line).split()


def test_containers_and_units_run_the_same_commands() -> None:
    serve = json.loads(IMAGE["CMD"])
    assert command_of("gateway") == serve
    assert _words("@") == [*serve, "--processes", "${PROCESSES}"]
    assert _words("-worker") == command_of("worker")
    *beat, _ = command_of("beat")
    assert _words("-beat")[:-1] == beat


@analysed
@confined
def test_a_gateway_serves_and_stops_cleanly(environ: dict[str, str], tmp_path: Path) -> None:
    port, admin_port = free_ports(2)
    settings = {"GATEWAY_PORT": str(port), "GATEWAY_ADMIN_PORT": str(admin_port)}
    url = f"http://127.0.0.1:{port}/gateway/readyz"
    _, _, check = IMAGE["HEALTHCHECK"].partition("CMD ")
    python, *arguments = json.loads(check)
    assert python == "python"
    command = _command("@", {**environ, **settings}, tmp_path, lambda: answers(url, below=300))
    with contained(command, _unit("@"), tmp_path) as running:
        subprocess.run([sys.executable, *arguments], env={**os.environ, **settings}, check=True)
        assert running.end() == 0, running.part.tail()


@analysed
@confined
def test_a_worker_works_and_stops_cleanly(environ: dict[str, str], tmp_path: Path) -> None:
    log, port = tmp_path / "unit.log", free_port()
    settings = {**environ, "GATEWAY_WORKER_METRICS_PORT": str(port)}
    command = _command("-worker", settings, tmp_path, lambda: says(log, 0, "worker.ready"))
    with contained(command, _unit("-worker"), tmp_path) as running:
        assert answers(f"http://127.0.0.1:{port}/metrics", below=300)
        assert running.end() == 0, running.part.tail()


@analysed
@confined
def test_beat_sends_tasks_and_stops_cleanly(environ: dict[str, str], tmp_path: Path) -> None:
    def beats() -> bool:
        return any(tmp_path.glob("schedule*"))

    command = _command("-beat", environ, tmp_path, beats)
    with contained(command, _unit("-beat"), tmp_path) as running:
        assert running.end() == 0, running.part.tail()


@analysed
@confined
def test_what_a_unit_forbids_is_forbidden() -> None:
    """Otherwise the tests above would show nothing."""
    wanted = (
        "import mmap, os\n"
        "for forbidden in (lambda: os.setpriority(0, 0, 1), lambda: os.chroot('/'),"
        " lambda: mmap.mmap(-1, 4096, prot=7)):\n"
        "    try: forbidden()\n"
        "    except PermissionError: continue\n"
        "    raise SystemExit('it is admitted')\n"
    )
    unit = str(_unit("-worker"))
    command = [sys.executable, "-m", "tests.deploy.confine", unit, sys.executable, "-c", wanted]
    subprocess.run(command, check=True)


def _command(
    name: str, environ: dict[str, str], writable: Path, ready: Callable[[], bool]
) -> Command:
    known = {"${PROCESSES}": "1", "%S/chatkitty-gateway-beat/schedule": f"{writable}/schedule"}
    program, *words = (known.get(word, word) for word in _words(name))
    return Command("unit", [str(VENV / program), *words], ready, environ)
