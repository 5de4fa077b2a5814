"""Measures how long the gateway waited for a client's body, and decides if that is too long."""

from typing import Final

from gateway.errors import BodyTimeout
from gateway.limits.minimum_rate import Floor, Pace

SILENT: Final = "the rest of the body did not arrive in time"
TOO_SLOW: Final = "the body was sent too slowly"


class BodyClock:
    """Checks now and then; the time between two checks counts, unless the client was held back.

    Times are those of the monotonic clock, in seconds.
    """

    __slots__ = ("_looked", "_pace", "_seconds", "held")

    def __init__(self) -> None:
        self._pace: Pace | None = None
        """Created on the first look: few bodies last long enough to need one."""
        self._looked = self._seconds = 0.0
        self.held = True
        """Whether the gateway made the client wait since the last look."""

    def fault(
        self, now: float, received: int, since: float, *, patience: float, floor: Floor
    ) -> BodyTimeout | None:
        """The client's fault, if any, after `received` bytes and with none `since` then.

        It may be silent for `patience` seconds; its average rate may be as low as the `floor`.
        """
        keeps_up = self._keeps_up(now, received, floor)
        if now - since > patience:
            return BodyTimeout(SILENT)
        return None if keeps_up else BodyTimeout(TOO_SLOW)

    def _keeps_up(self, now: float, received: int, floor: Floor) -> bool:
        if not self.held:
            self._seconds += now - self._looked
        self._looked, self.held = now, False
        if self._pace is None:
            self._pace = Pace(floor)
        return self._pace.keeps_up(self._seconds, received)
