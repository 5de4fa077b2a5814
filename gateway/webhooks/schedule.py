"""When a message is sent again. Pure."""

from itertools import pairwise
from typing import Final

_MINUTE, _HOUR = 60.0, 3600.0

POINTS: Final = (
    *(0.0, 5.0, 5 * _MINUTE, 30 * _MINUTE),
    *(2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
)
"""Seconds after the first attempt at which the others follow, at the earliest."""

GIVE_UP_AFTER: Final = POINTS[-1]
"""Seconds for which a message waits in the outbox; the first failure after that is its last."""

PAUSES: Final = tuple(after - before for before, after in pairwise(POINTS))

_SPREAD: Final = 0.1


def pause_after(attempts: int, waited: float, asked: float, jitter: float) -> float | None:
    """Seconds until the next attempt; None if there is none.

    `attempts` were made, the first at least `waited` seconds ago. `asked`: the pause that the
    receiver asked for, in seconds. `jitter`: from 0 to 1, so that messages do not come all at once.
    """
    if waited >= GIVE_UP_AFTER or attempts > len(PAUSES):
        return None
    return max(PAUSES[max(1, attempts) - 1], asked) * (1 + _SPREAD * jitter)
