"""The slowest rate at which a body may come. Pure."""

from typing import NamedTuple


class Floor(NamedTuple):
    """At least so many bytes a second, as an average over so many seconds; a rate of 0 is none."""

    rate: int
    seconds: float


class Pace:
    """How fast one body comes, judged once in every period of the floor: the first is a grace."""

    __slots__ = ("_began", "_floor", "_had")

    def __init__(self, floor: Floor) -> None:
        """Judge by `floor`."""
        self._floor = floor
        self._began = 0.0
        self._had = 0

    def keeps_up(self, waited: float, received: int) -> bool:
        """Whether the client is fast enough, as far as can be told by now.

        `received` are the bytes that have come in all, and `waited` is how many seconds it had for
        them: time that was spent waiting for another party is not the client's.
        """
        seconds = waited - self._began
        if seconds < self._floor.seconds:
            return True
        enough = received - self._had >= self._floor.rate * seconds
        self._began, self._had = waited, received
        return enough
