"""How many offers a gateway makes: few or none while no worker takes them. Pure.

What is offered waits at the broker, where a record takes room that an id does not; and the upload
is accepted later than it could be if nobody takes it. See `gateway.records.offers`.
"""

from typing import Final

MOST_OPEN: Final = 64
"""Offers of one process that nobody has taken yet, while workers are known to take them."""

PAUSE: Final = 10.0
"""Seconds without an offer after one that nobody took; then one at a time, until one is taken."""


class Offering:
    """Counts the offers of one process; all times are of one monotonic clock."""

    def __init__(self) -> None:
        """Allow one offer, to see whether it is taken."""
        self._open = 0
        self._most = 1
        self._not_before = 0.0

    def begin(self, now: float) -> bool:
        """Whether an offer may be made; if so, `end` follows it."""
        if self._open >= self._most or now < self._not_before:
            return False
        self._open += 1
        return True

    def end(self, now: float, *, taken: bool | None) -> None:
        """Tell what became of an offer; None if that is not known."""
        self._open -= 1
        if taken:
            self._most = MOST_OPEN
        elif taken is False:
            self._most = 1
            self._not_before = now + PAUSE
