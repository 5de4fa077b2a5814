"""How long an attempt at a registration may be in progress, and whether the last one is. Pure.

Ages are in seconds of the store's clock, which has whole seconds only.
"""

from typing import Final

from msgspec.structs import replace

from gateway.uploads.record import Attempt

CLOCK_STEP: Final = 1.0
"""The store reports whole seconds."""

SEND_SECONDS: Final = 15.0
"""Seconds within which the request must be sent, for the token and to find a connection."""

EXCHANGE_SECONDS: Final = 30.0
"""The longest that ChatKitty may take for a request without a file, in seconds; also how long a
worker that dies during one blocks the others.
"""

_MARGIN: Final = 5.0


def lease_of(exchange_seconds: float) -> float:
    """Seconds for which an attempt blocks others, if ChatKitty may take `exchange_seconds`."""
    return SEND_SECONDS + exchange_seconds + _MARGIN


def under_way_for(attempt: Attempt | None, age: float) -> float:
    """Seconds for which the last attempt may still be in progress; 0 if it cannot be."""
    if attempt is None or not attempt.lease:
        return 0.0
    return max(0.0, attempt.lease + CLOCK_STEP - age)


def is_due(attempt: Attempt | None, age: float) -> bool:
    """Whether no worker processes the upload, and the next attempt is due."""
    if attempt is None:
        return True
    return under_way_for(attempt, age) == 0.0 and age >= attempt.pause


def carried_over(attempt: Attempt, age: float) -> Attempt:
    """The attempt of a record of that age, for a record that is written now: it ends as before."""
    return replace(
        attempt,
        lease=max(0.0, attempt.lease - age),
        pause=max(0.0, attempt.pause - age),
        settling=max(0.0, attempt.settling - age),
    )
