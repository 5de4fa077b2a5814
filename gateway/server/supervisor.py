"""Several processes that share the ports (SO_REUSEPORT), and the one that looks after them.

It holds no socket and no lock: what it starts is what a user starts. A process that dies is started
again; one that dies again and again ends all of them, so that whoever started us is told.
"""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.telemetry import get_logger

log = get_logger(__name__)

QUICK_SECONDS: Final = 10.0
"""A process that lived no longer has not recovered from whatever killed the one before it."""

MOST_QUICK_DEATHS: Final = 5
"""So many quick deaths in a row are a crash loop."""

CRASH_LOOP: Final = 1
"""The exit status of a crash loop, and of processes that did not end as they should."""

_REFUSED: Final = 2
_PR_SET_PDEATHSIG: Final = 1
_FIRST_PAUSE: Final = 0.5
_STOP: Final = (signal.SIGTERM, signal.SIGINT)
_AWAITED: Final = (*_STOP, signal.SIGCHLD)


@dataclass(frozen=True, slots=True)
class Again:
    """Start it again after `pause` seconds; `quick` deaths in a row came before."""

    pause: float
    quick: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End all processes with this exit status."""

    status: int


def after_death(status: int, lived: float, quick: int, *, first: bool) -> Again | GiveUp:
    """What follows a death after `lived` seconds and `quick` quick deaths in a row. Pure.

    `first`: it was the first process in its place; if that refuses its settings (exit status 2),
    so will every other.
    """
    if first and status == _REFUSED:
        return GiveUp(status)
    if lived >= QUICK_SECONDS:
        return Again(0.0, 0)
    if quick + 1 >= MOST_QUICK_DEATHS:
        return GiveUp(CRASH_LOOP)
    return Again(_FIRST_PAUSE * (2**quick - 1), quick + 1)


class _Place:
    """One of the processes, whoever it is at the moment."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._command = command
        self._environ = environ
        self._quick = 0
        self._first = True
        self.start()

    def start(self) -> None:
        self._started = time.monotonic()
        self.again_at: float | None = None
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            self._command,
            env=self._environ,
            start_new_session=True,  # a terminal's Ctrl-C reaches us alone, and is passed on once
            preexec_fn=_prepare,  # noqa: PLW1509 - two system calls
        )

    def look(self) -> int | None:
        """The status with which all have to end, if it died and cannot be started again."""
        status = self.process.poll()
        if status is None or self.again_at is not None:
            return None
        now = time.monotonic()
        decision = after_death(status, now - self._started, self._quick, first=self._first)
        log.error("processes.died", pid=self.process.pid, status=status)
        if isinstance(decision, GiveUp):
            return decision.status
        self._first, self._quick = False, decision.quick
        self.again_at = now + decision.pause
        return None


def supervise(command: Sequence[str], count: int, environ: Mapping[str, str]) -> int:
    """Keep `count` processes of a command running until SIGTERM or SIGINT; returns the exit status.

    `environ` is all of their environment. Either signal is passed on, however often it comes.
    0 where all ended as they were asked to; what the first one refused its settings with; else 1.
    """
    # Blocked until they are waited for: none is missed, and none comes between.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    try:
        places = [_Place(command, environ) for _ in range(count)]
        status = _look_after(places)
        return max(status, _wait(places))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _look_after(places: Sequence[_Place]) -> int:
    """Return when all are to stop, and have been told so; the status is 0 after a signal."""
    while True:
        for place in places:
            if (status := place.look()) is not None:
                log.error("processes.crash_loop", status=status)
                _tell(places, signal.SIGTERM)
                return status
        due = [place.again_at for place in places if place.again_at is not None]
        if (number := _next_signal(min(due, default=None))) in _STOP:
            _tell(places, number)
            return 0
        for place in places:
            if place.again_at is not None and place.again_at <= time.monotonic():
                place.start()


def _wait(places: Sequence[_Place]) -> int:
    """Wait for the end of all; 0 where each ended as it was asked to."""
    while any(place.process.poll() is None for place in places):
        if (number := _next_signal(None)) in _STOP:
            _tell(places, number)
    # One that was not yet ready to be told has nothing to finish.
    fine = {0, *(-number for number in _STOP)}
    return CRASH_LOOP if {place.process.poll() for place in places} - fine else 0


def _next_signal(until: float | None) -> int:
    """The next signal that came; 0 where none did until then."""
    if until is None:
        return signal.sigwaitinfo(_AWAITED).si_signo
    found = signal.sigtimedwait(_AWAITED, max(0.0, until - time.monotonic()))
    return found.si_signo if found is not None else 0


def _tell(places: Sequence[_Place], number: int) -> None:
    for place in places:
        if place.process.poll() is None:
            place.process.send_signal(number)


def _prepare() -> None:
    """In the child: take signals, and have the kernel stop it when its parent is gone."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
