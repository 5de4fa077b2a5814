"""The metrics that are counted at a request's end, by one look-up and a few additions."""

from functools import lru_cache
from typing import Final

import msgspec

from gateway.metrics.catalogue import (
    PHASE_SECONDS,
    RECEIVED,
    REQUEST_SECONDS,
    REQUESTS,
    SENT,
    UPLOADS,
)
from gateway.metrics.instruments import Distribution, Value

NO_DELIVERY: Final = "none"
PASSED_ON: Final = "passed-on"
"""The route label of requests that pass through to ChatKitty."""

UNKNOWN_ROUTE: Final = "unknown"
"""The route label of an upload to an unknown path."""

ABORTED: Final = "aborted"
"""The status label of a request whose client disconnected."""

CUT: Final = "cut"
"""The status label of a request whose answer was cut off."""

_OUTCOMES: Final = {"2xx": "taken", "5xx": "failed", ABORTED: "aborted", CUT: "failed"}


class Tally(msgspec.Struct, frozen=True):
    """The children that count requests of one kind and outcome."""

    requests: Value
    received: Value
    sent: Value
    seconds: Distribution
    uploads: Value | None

    def count(self, seconds: float, received: int, sent: int) -> None:
        """Count one request by its duration and the bytes of its bodies."""
        # Adds without method calls where it can, since this is done for each request.
        self.requests.value += 1
        self.received.value += received
        self.sent.value += sent
        self.seconds.observe(seconds)
        if self.uploads is not None:
            self.uploads.value += 1


class RelayPhases(msgspec.Struct, frozen=True):
    """The phases of a relay: until it was admitted, its body arrived, and its answer arrived."""

    auth: Distribution
    body: Distribution
    upstream: Distribution


@lru_cache(1000)
def tally_of(route: str, delivery: str, status: int | str) -> Tally:
    """The children for a route's requests with that delivery and status."""
    group = status if isinstance(status, str) else f"{status // 100}xx"
    outcome = _OUTCOMES.get(group, "refused")
    return Tally(
        REQUESTS.of(route, delivery, group),
        RECEIVED.of(route, delivery),
        SENT.of(route, delivery),
        REQUEST_SECONDS.of(delivery),
        UPLOADS.of(route, delivery, outcome) if delivery != NO_DELIVERY else None,
    )


@lru_cache(1)
def relay_phases() -> RelayPhases:
    """The phases of every relay."""
    return RelayPhases(
        auth=PHASE_SECONDS.of("relay", "auth"),
        body=PHASE_SECONDS.of("relay", "body"),
        upstream=PHASE_SECONDS.of("relay", "upstream"),
    )
