"""The directory in which one supervisor's processes share their counts: made and removed for them.

A killed supervisor removes nothing, so the next one does. Locks show which processes live, since
they end with their holders: a process id may soon belong to another process.
"""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.metrics.shared import is_held

DIRECTORY: Final = "GATEWAY_METRICS_DIR"

_PREFIX: Final = "chatkitty-gateway-metrics-"
_OURS: Final = re.compile(r"\d+\.(lock|counted|new)")


@contextmanager
def metrics_directory(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The environment for processes that share counts, with a directory, created if none is set.

    It is in memory if possible. It is removed at the end; directories that others left behind are
    removed before. Raises OSError.
    """
    if environ.get(DIRECTORY):
        yield dict(environ)
        return
    memory = Path("/dev/shm")  # noqa: S108 - what is made in it is our own
    where = memory if os.access(memory, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    sweep(where)
    (made, lock), maker = _make(where), os.getpid()
    try:
        yield {**environ, DIRECTORY: str(made)}
    finally:
        if os.getpid() == maker:  # not in a child that was forked within the block
            _remove(made)
        os.close(lock)


def sweep(where: Path) -> None:
    """Remove the directories in `where` that no living process made or uses."""
    for directory in where.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another process removes it, or has just removed it
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # A killed supervisor's processes drain first.
                    if not any(map(is_held, directory.glob("*.lock"))):
                        _remove(directory)
            finally:
                os.close(lock)


def _make(where: Path) -> tuple[Path, int]:
    """A new directory, and the lock on it that shows that its maker lives."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=where))
        with suppress(FileNotFoundError):
            lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if made.is_dir():
                return made, lock
            os.close(lock)  # another process removed it between creation and lock


def _remove(directory: Path) -> None:
    """Remove the directory with the files of processes; if it has other files, it stays."""
    with suppress(OSError):
        for file in directory.iterdir():
            if _OURS.fullmatch(file.name):
                file.unlink(missing_ok=True)
        directory.rmdir()
