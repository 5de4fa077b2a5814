"""How long an attempt at a registration may be in progress, and whether the last one is. Pure.

Ages are in seconds by the store's clock, and as coarse as that.
"""

from typing import Final

from msgspec.structs import replace

from gateway.uploads.record import Attempt

CLOCK_STEP: Final = 1.0
"""The store reports whole seconds."""

SEND_SECONDS: Final = 15.0
"""Within which the request has to be sent: for the token, and to find a connection."""

EXCHANGE_SECONDS: Final = 30.0
"""The longest that ChatKitty may take for a request without a file: so long, too, does a worker
that died with one keep others from it.
"""

_MARGIN: Final = 5.0


def lease_of(exchange_seconds: float) -> float:
    """Seconds for which an attempt holds its upload, if ChatKitty may take `exchange_seconds`."""
    return SEND_SECONDS + exchange_seconds + _MARGIN


def under_way_for(attempt: Attempt | None, age: float) -> float:
    """Seconds for which the last attempt may still be under way; 0 if it cannot be."""
    if attempt is None or not attempt.lease:
        return 0.0
    return max(0.0, attempt.lease + CLOCK_STEP - age)


def is_due(attempt: Attempt | None, age: float) -> bool:
    """Whether no worker processes the upload, and the next attempt is due."""
    if attempt is None:
        return True
    return under_way_for(attempt, age) == 0.0 and age >= attempt.pause


def carried_over(attempt: Attempt, age: float) -> Attempt:
    """The attempt of a record of that age in one that is written now, with as long to wait."""
    return replace(
        attempt,
        lease=max(0.0, attempt.lease - age),
        pause=max(0.0, attempt.pause - age),
        settling=max(0.0, attempt.settling - age),
    )
