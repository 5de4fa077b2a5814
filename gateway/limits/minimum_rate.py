"""The lowest rate at which a body may arrive. Pure."""

from typing import NamedTuple


class Floor(NamedTuple):
    """At least `rate` bytes a second, on average over `seconds`; 0 is no minimum."""

    rate: int
    seconds: float


class Pace:
    """Judges the rate of one body at the end of each of the floor's periods."""

    __slots__ = ("_began", "_floor", "_had")

    def __init__(self, floor: Floor) -> None:
        """Judge by `floor`."""
        self._floor = floor
        self._began = 0.0
        self._had = 0

    def keeps_up(self, waited: float, received: int) -> bool:
        """Whether the client is fast enough; within a period, it always is.

        `received` is the number of bytes that have arrived so far, and `waited` the seconds that
        the client had to send them, without the time spent waiting for another party.
        """
        seconds = waited - self._began
        if seconds < self._floor.seconds:
            return True
        enough = received - self._had >= self._floor.rate * seconds
        self._began, self._had = waited, received
        return enough
