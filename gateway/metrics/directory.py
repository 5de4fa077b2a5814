"""Where the processes of one supervisor share what they count: made for them, and cleared away.

A supervisor that is killed clears nothing away, so the next one does. Who lives is told by locks,
which end with their holders: a process id would soon be another process'.
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
    """The environment for processes that are to share: with a directory, made if there is none.

    In memory where that can be had; what was made here is removed at the end, and what others left
    behind before that. Raises OSError.
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
        if os.getpid() == maker:  # and not in a child that was forked within the block
            _remove(made)
        os.close(lock)


def sweep(where: Path) -> None:
    """Remove the directories in `where` that no living process has made or shares."""
    for directory in where.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another one's, or just gone
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
    """A new directory, and the lock on it that says that its maker lives."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=where))
        with suppress(FileNotFoundError):
            lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if made.is_dir():
                return made, lock
            os.close(lock)  # a sweeper was there between the making and the locking


def _remove(directory: Path) -> None:
    """Remove it with what processes keep in it; what is not theirs stays, and so does it."""
    with suppress(OSError):
        for file in directory.iterdir():
            if _OURS.fullmatch(file.name):
                file.unlink(missing_ok=True)
        directory.rmdir()
