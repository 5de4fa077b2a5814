"""Restarts processes that die, after pauses that grow if they die soon after their start."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

QUICK_SECONDS: Final = 10.0
"""A process that lived no longer than this, in seconds, has not recovered from the last death."""

LONGEST_PAUSE: Final = 30.0
_FIRST_PAUSE: Final = 0.5


Process = TypeVar("Process")


@dataclass(frozen=True, slots=True)
class Death:
    """A death, with its exit status; `quick` is the number of quick deaths in a row up to this one.

    `first`: it was the first process in its place. `pause`: seconds until the next one is started.
    """

    status: int
    quick: int
    pause: float
    first: bool


def death_of(status: int, lived: float, quick: int, *, first: bool) -> Death:
    """The death of a process after `lived` seconds, with `quick` quick ones before it. Pure."""
    if lived >= QUICK_SECONDS:
        return Death(status, 0, 0.0, first)
    return Death(status, quick + 1, min(_FIRST_PAUSE * (2**quick - 1), LONGEST_PAUSE), first)


class Place(Generic[Process]):
    """A place for one process, which is replaced when it dies."""

    def __init__(
        self, start: Callable[[], Process], status_of: Callable[[Process], int | None]
    ) -> None:
        """Start the first process. `status_of` is None while a process runs."""
        self._start = start
        self._status_of = status_of
        self._quick = 0
        self._first = True
        self.again_at: float | None = None
        """When the next process is due, by `time.monotonic`; None while one runs."""
        self._begin()

    def _begin(self) -> None:
        self._started = time.monotonic()
        self.again_at = None
        self.process = self._start()

    def look(self) -> Death | None:
        """The death of the process, if it has died since the last call."""
        status = self._status_of(self.process)
        if status is None or self.again_at is not None:
            return None
        now = time.monotonic()
        death = death_of(status, now - self._started, self._quick, first=self._first)
        self._first, self._quick = False, death.quick
        self.again_at = now + death.pause
        return death

    def revive(self) -> None:
        """Start the next process if it is due."""
        if self.again_at is not None and self.again_at <= time.monotonic():
            self._begin()
