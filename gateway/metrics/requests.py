"""The metrics of a request at its end: one look-up and a few additions."""

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
"""The route of what is no upload and goes on to the upstream."""

UNKNOWN_ROUTE: Final = "unknown"
"""The route of an upload to where nothing is."""

ABORTED: Final = "aborted"
"""What stands for the status of a request whose client went away."""

CUT: Final = "cut"
"""The same for one whose answer broke off."""

_OUTCOMES: Final = {"2xx": "taken", "5xx": "failed", ABORTED: "aborted", CUT: "failed"}


class Tally(msgspec.Struct, frozen=True):
    """The children that requests of one kind and end are counted by."""

    requests: Value
    received: Value
    sent: Value
    seconds: Distribution
    uploads: Value | None

    def count(self, seconds: float, received: int, sent: int) -> None:
        """Count one request, which took so long, and whose bodies had so many bytes."""
        # Not by a method, for this is done for each request.
        self.requests.value += 1
        self.received.value += received
        self.sent.value += sent
        self.seconds.observe(seconds)
        if self.uploads is not None:
            self.uploads.value += 1


class RelayPhases(msgspec.Struct, frozen=True):
    """Where the time of a relay goes: until it was admitted, its body there, and its answer."""

    auth: Distribution
    body: Distribution
    upstream: Distribution


@lru_cache(1000)
def tally_of(route: str, delivery: str, status: int | str) -> Tally:
    """The children of a route's requests in a delivery that end with the status."""
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
