"""Starts and supervises several processes that share the ports (SO_REUSEPORT).

The supervisor holds no socket and no lock: it starts the command that a user would start. It
restarts a process that dies; if one keeps dying, it stops all of them, so that its caller notices.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from gateway.lineage import die_with_parent
from gateway.metrics.directory import metrics_directory
from gateway.revival import Death, Place
from gateway.telemetry import get_logger

log = get_logger(__name__)

MOST_QUICK_DEATHS: Final = 5
"""This many quick deaths in a row are a crash loop."""

CRASH_LOOP: Final = 1
"""The exit status of a crash loop, and of processes that did not end as they should."""

_REFUSED: Final = 2
_STOP: Final = (signal.SIGTERM, signal.SIGINT)
_AWAITED: Final = (*_STOP, signal.SIGCHLD)


_Place: TypeAlias = "Place[subprocess.Popen[bytes]]"


def end_after(death: Death) -> int | None:
    """The exit status with which all processes end after a death; None if they go on. Pure.

    If the first one refuses its settings (exit status 2), so will every other.
    """
    if death.first and death.status == _REFUSED:
        return death.status
    return CRASH_LOOP if death.quick >= MOST_QUICK_DEATHS else None


def _start(command: Sequence[str], environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - our own command
        command,
        env=environ,
        start_new_session=True,  # a terminal's Ctrl-C reaches only us; we pass it on once
        preexec_fn=_prepare,  # noqa: PLW1509 - two system calls
    )


def serve_processes(count: int) -> int:
    """Serve with `count` processes that share the ports, and report their metrics as one.

    Returns the exit status.
    """
    with metrics_directory(os.environ) as environ:
        return supervise([sys.executable, "-m", "gateway.cli", "serve"], count, environ)


def supervise(command: Sequence[str], count: int, environ: Mapping[str, str]) -> int:
    """Keep `count` processes of a command running until SIGTERM or SIGINT; returns the exit status.

    `environ` is their whole environment. Both signals are passed on, each time they arrive.
    The status is 0 if all exited when asked to; that of the first process that refused its
    settings; else 1.
    """
    # Blocked until they are waited for: none is missed, and none comes between.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    try:
        places = [
            Place(lambda: _start(command, environ), subprocess.Popen.poll) for _ in range(count)
        ]
        status = _look_after(places)
        return max(status, _wait(places))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _look_after(places: Sequence[_Place]) -> int:
    """Return once all have been asked to stop; the status is 0 after a signal."""
    while True:
        for place in places:
            if (death := place.look()) is None:
                continue
            log.error("processes.died", pid=place.process.pid, status=death.status)
            if (status := end_after(death)) is not None:
                log.error("processes.crash_loop", status=status)
                _tell(places, signal.SIGTERM)
                return status
        due = [place.again_at for place in places if place.again_at is not None]
        if (number := _next_signal(min(due, default=None))) in _STOP:
            _tell(places, number)
            return 0
        for place in places:
            place.revive()


def _wait(places: Sequence[_Place]) -> int:
    """Wait until all have exited; 0 if each exited when asked to."""
    while any(place.process.poll() is None for place in places):
        if (number := _next_signal(None)) in _STOP:
            _tell(places, number)
    # One that was not ready for the signal yet has nothing to finish.
    fine = {0, *(-number for number in _STOP)}
    return CRASH_LOOP if {place.process.poll() for place in places} - fine else 0


def _next_signal(until: float | None) -> int:
    """The next signal; 0 if none arrives until then."""
    if until is None:
        return signal.sigwaitinfo(_AWAITED).si_signo
    found = signal.sigtimedwait(_AWAITED, max(0.0, until - time.monotonic()))
    return found.si_signo if found is not None else 0


def _tell(places: Sequence[_Place], number: int) -> None:
    for place in places:
        if place.process.poll() is None:
            place.process.send_signal(number)


def _prepare() -> None:
    """In the child: take signals, and be stopped when the parent is gone."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    die_with_parent(signal.SIGTERM)
