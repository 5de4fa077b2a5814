"""One timer for everything that must not be silent for too long: a timer for each costs more."""

import asyncio
import time
from math import ceil
from typing import Final, Protocol

from gateway.telemetry import get_logger

log = get_logger(__name__)

_LONGEST_INTERVAL: Final = 1.0
_LOOKS: Final = 4
"""Checks within the shortest silence that matters, which is also how late one may be noticed."""

_TURNS: Final = 10
"""Turns of the loop over which one check of all is spread: if thousands are due at once, other
work must not wait for all of them.
"""

_STOOD_STILL: Final = 1.0
"""A turn that is later than these seconds means that the process or its machine was suspended."""


class Watched(Protocol):
    """Something that is checked from time to time."""

    def look(self, now: float) -> None:
        """Act if it has been silent for too long; `now` is of `time.monotonic`."""


class Watch:
    """Checks its members as long as there are any, some of them in each turn."""

    def __init__(self, shortest: float) -> None:
        """Check often enough to notice a silence of `shortest` seconds."""
        self._interval = min(_LONGEST_INTERVAL, shortest / _LOOKS) / _TURNS
        self._members: set[Watched] = set()
        self._round: list[Watched] = []
        """The members that the current round has not checked yet."""
        self._each_turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: Watched) -> None:
        """Check the member from now on."""
        self._members.add(member)
        if self._timer is None:
            self._set_timer()

    def discard(self, member: Watched) -> None:
        """Stop checking the member."""
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
