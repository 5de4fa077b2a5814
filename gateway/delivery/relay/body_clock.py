"""How long the gateway waited for the client to send a body, and whether that is too long."""

from typing import Final

from gateway.limits.minimum_rate import Floor, Pace

SILENT: Final = "the rest of the body did not arrive in time"
TOO_SLOW: Final = "the body was sent too slowly"


class BodyClock:
    """Looks now and then; the time between two looks counts, unless the client was held back.

    Times are those of the monotonic clock, in seconds.
    """

    __slots__ = ("_looked", "_pace", "_seconds", "held")

    def __init__(self) -> None:
        self._pace: Pace | None = None
        """Created on the first look: few bodies last long enough to need one."""
        self._looked = self._seconds = 0.0
        self.held = True
        """Whether the gateway made the client wait since the last look."""

    def keeps_up(self, now: float, received: int, floor: Floor) -> bool:
        """Whether the client, having sent `received` bytes, is fast enough."""
        if not self.held:
            self._seconds += now - self._looked
        self._looked, self.held = now, False
        if self._pace is None:
            self._pace = Pace(floor)
        return self._pace.keeps_up(self._seconds, received)
