"""How long the client of a body was waited for, and whether that is too long."""

from typing import Final

from gateway.limits.minimum_rate import Floor, Pace

SILENT: Final = "the rest of the body did not arrive in time"
TOO_SLOW: Final = "the body was sent too slowly"


class BodyClock:
    """Looks now and then; what passed between two looks is the client's, unless it was held.

    Times are those of the monotonic clock, in seconds.
    """

    __slots__ = ("_looked", "_pace", "_seconds", "held")

    def __init__(self) -> None:
        self._pace: Pace | None = None
        """Only those that are looked at need one, which are few."""
        self._looked = self._seconds = 0.0
        self.held = True
        """Whether the client was made to wait since the last look."""

    def keeps_up(self, now: float, received: int, floor: Floor) -> bool:
        """Whether the client, of whom so many bytes have come, is fast enough."""
        if not self.held:
            self._seconds += now - self._looked
        self._looked, self.held = now, False
        if self._pace is None:
            self._pace = Pace(floor)
        return self._pace.keeps_up(self._seconds, received)
