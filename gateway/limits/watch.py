"""One timer for all that must not be silent for too long: setting one for each costs more."""

import asyncio
import time
from math import ceil
from typing import Final, Protocol

from gateway.telemetry import get_logger

log = get_logger(__name__)

_LONGEST_INTERVAL: Final = 1.0
_LOOKS: Final = 4
"""Looks within the shortest silence that matters: how much later than due one is noticed."""

_TURNS: Final = 10
"""Turns in which all have been looked at: of thousands that are due at once, others must not wait
for all.
"""

_STOOD_STILL: Final = 1.0
"""Seconds that a turn is late if the process, or its whole machine, was stopped."""


class Watched(Protocol):
    """Who is looked at from time to time."""

    def look(self, now: float) -> None:
        """See whether it has been silent for too long; `now` is of `time.monotonic`."""


class Watch:
    """Looks at its members, as long as there are any: at some in each turn."""

    def __init__(self, shortest: float) -> None:
        """Look often enough for a silence of `shortest` seconds."""
        self._interval = min(_LONGEST_INTERVAL, shortest / _LOOKS) / _TURNS
        self._members: set[Watched] = set()
        self._round: list[Watched] = []
        """Those that are still to be looked at before all are once more."""
        self._each_turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: Watched) -> None:
        """Look at it from now on."""
        self._members.add(member)
        if self._timer is None:
            self._set_timer()

    def discard(self, member: Watched) -> None:
        """Look at it no more."""
        self._members.discard(member)

    def _set_timer(self) -> None:
        self._due = time.monotonic() + self._interval
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._members:
            self._round.clear()
            return
        now = time.monotonic()
        stood_still = now - self._due > _STOOD_STILL
        self._set_timer()
        if stood_still:  # bytes that arrived since are read before a client counts as silent
            return
        if not self._round:
            self._round = list(self._members)
            self._each_turn = ceil(len(self._round) / _TURNS)
        turn = self._round[-self._each_turn :]
        del self._round[-self._each_turn :]
        for member in turn:
            if member in self._members:
                _see(member, now)


def _see(member: Watched, now: float) -> None:
    """Check one member; if that fails, the others are still checked."""
    try:
        member.look(now)
    except Exception:
        log.exception("watch.failed")
