"""What follows a failed registration, and what an error status means for it. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias

from gateway.errors import UpstreamError, UpstreamTimeout

MAX_ATTEMPTS: Final = 20
BACKOFF_BASE: Final = 0.5
BACKOFF_CAP: Final = 30.0
"""The longest pause between retries, in seconds, which is how late recovery is noticed."""

RETRY_AFTER_CAP: Final = 3600.0
"""The longest pause that the upstream can ask for, in seconds: a longer one would seem a loss."""

SETTLING: Final = 1.0
"""Seconds to wait after a broken connection before the upstream is asked about the request."""

SETTLING_AFTER_TIMEOUT: Final = 10.0
"""The same after silence: the upstream may still be processing the request."""

LISTING: Final = 15.0
LISTING_AFTER_TIMEOUT: Final = 45.0
"""Seconds after which a message that is still not listed was never made."""

LOOK_AGAIN: Final = 5.0
"""Seconds between two searches within that time."""

RETRY_WINDOW: Final = 3600.0
"""Seconds that a caller's token must still be valid, so that it can be used for the retries."""

GIVE_UP_AFTER: Final = 86400.0
"""Seconds after the first attempt at which the gateway gives up on an unavailable upstream."""

TOO_MANY_REQUESTS: Final = 429
_TRY_AGAIN: Final = frozenset({408, 425, TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Retry:
    """Send the same request again after `after` seconds: the last one did nothing."""

    after: float


@dataclass(frozen=True, slots=True)
class Reconcile:
    """After `after` seconds, find out what the last request did before sending another one.

    Finding nothing counts only `settling` seconds after the failure.
    """

    after: float
    settling: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further request can help."""


Decision: TypeAlias = Retry | Reconcile | GiveUp


def after_failure(error: UpstreamError, attempt: int, jitter: float) -> Decision:
    """What follows the failure of attempt number `attempt` (from 1); `jitter` is in [0, 1).

    Exponential back-off with full jitter, never less than the upstream asked for.
    """
    if not error.retryable or attempt >= MAX_ATTEMPTS:
        return GiveUp()
    backoff = jitter * min(BACKOFF_CAP, BACKOFF_BASE * 2**attempt)
    wait = max(backoff, error.retry_after)
    if not error.outcome_unknown:
        return Retry(wait)
    if isinstance(error, UpstreamTimeout):
        return Reconcile(max(wait, SETTLING_AFTER_TIMEOUT), LISTING_AFTER_TIMEOUT)
    return Reconcile(max(wait, SETTLING), LISTING)


def is_retryable(status: int) -> bool:
    """Whether a request that was answered with this error status may succeed later."""
    return status >= 500 or status in _TRY_AGAIN


def may_have_acted(status: int, *, asks_to_wait: bool) -> bool:
    """Whether the request may have been executed in spite of the error status.

    A 4xx is a refusal. So is a 503 that says when to come back (RFC 9110 section 15.6.4). Any
    other 5xx may come from a fault after the message was made, or from a proxy that lost the
    server's answer; several proxies call that 503, so a bare one counts among these.
    """
    return status >= 500 and not (status == 503 and asks_to_wait)


def retry_after_seconds(value: str | None, now: datetime) -> float:
    """Seconds to wait from `now` (aware) by a `Retry-After` header, 0 if it says nothing.

    At most RETRY_AFTER_CAP. Source: RFC 9110 section 10.2.3.
    """
    if value is None:
        return 0.0
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), RETRY_AFTER_CAP)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max((date - now).total_seconds(), 0.0), RETRY_AFTER_CAP)
