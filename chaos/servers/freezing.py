"""Freezes processes: they do nothing, and their connections stay open."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STOPPED = "T"
_PAUSE = 0.005


def freeze(pid: int) -> None:
    """Stop the process; returns once each of its threads stands still.

    The signal alone does not wait for that: on a busy machine, a thread may answer another request.
    """
    os.kill(pid, signal.SIGSTOP)
    while not all(state == _STOPPED for state in _states(pid)):
        time.sleep(_PAUSE)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Freeze the process meanwhile."""
    freeze(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _states(pid: int) -> list[str]:
    """The state of each thread (proc_pid_stat(5): the third field, after a name in brackets)."""
    states = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            states.append(stat.read_text().rpartition(")")[2].split()[0])
        except (FileNotFoundError, ProcessLookupError):  # the thread has ended
            continue
    return states
