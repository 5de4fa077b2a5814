"""How many offers a gateway makes: few or none while no worker accepts them. Pure.

An offer waits at the broker, where a record takes more room than an id; and the upload is accepted
later than otherwise if no worker accepts the offer. See `gateway.records.offers`.
"""

from typing import Final

MOST_OPEN: Final = 64
"""Offers of one process that no worker has accepted yet, while workers are known to accept them."""

PAUSE: Final = 10.0
"""Seconds without offers after one that no worker accepted; then one at a time, until one is
accepted.
"""


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
        """Report what became of an offer; None if that is not known."""
        self._open -= 1
        if taken:
            self._most = MOST_OPEN
        elif taken is False:
            self._most = 1
            self._not_before = now + PAUSE
