"""A command as it runs in a container and as a unit: without rights, and with few system calls."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.stack.part import Command, Part
from tests.programs import lack

# A container as the image runs in: process 1, all file systems read-only but one directory, no
# capability. (Its user is still root, since only root can read this checkout; without capabilities,
# root only owns files.)
_CONTAINER = """
mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,bind,ro / && shift &&
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
"""
_UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Contained:
    """A running command; `first` is its process as this machine numbers it."""

    part: Part
    first: int

    def end(self) -> int:
        """SIGTERM to process 1 alone, once it handles that; returns its exit status."""
        while not _handles(self.first, signal.SIGTERM):
            assert self.part.exit_status is None, self.part.tail()
            time.sleep(0.02)
        os.kill(self.first, signal.SIGTERM)
        while (status := self.part.exit_status) is None:
            os.waitid(os.P_PID, self.part.pid, os.WEXITED | os.WNOWAIT)
        return status


@contextmanager
def contained(command: Command, unit: Path, writable: Path) -> Iterator[Contained]:
    """The command, ready, under what the unit forbids; it may write to that directory only.

    Skips the test if this machine allows no container.
    """
    _skip_without_containers()
    confined = [sys.executable, "-m", "tests.deploy.confine", str(unit), *command.argv]
    argv = [*_UNSHARE, "sh", "-c", _CONTAINER, "sh", str(writable), *confined]
    own = {**command.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    started = replace(command, argv=argv, environ=own, patience=60.0)
    with Part(started, writable) as part:
        yield Contained(part, _child(part.pid))


def _skip_without_containers() -> None:
    if shutil.which("unshare") and not subprocess.run([*_UNSHARE, "true"], check=False).returncode:
        return
    lack("this machine allows no container")


def _handles(pid: int, number: signal.Signals) -> bool:
    """Whether process 1 handles the signal; until it does, the kernel does not deliver it."""
    (caught,) = re.findall(r"(?m)^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text())
    return bool(int(caught, 16) >> (number - 1) & 1)


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
