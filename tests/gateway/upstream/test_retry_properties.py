"""Whatever fails, the next step is safe and within its bounds."""

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable
from gateway.upstream.retry import (
    BACKOFF_CAP,
    MAX_ATTEMPTS,
    RETRY_AFTER_CAP,
    SETTLING_AFTER_TIMEOUT,
    GiveUp,
    Reconcile,
    Retry,
    after_failure,
    retry_after_seconds,
)

ERRORS = st.builds(
    lambda cls, *, retryable, outcome_unknown, retry_after: cls(
        "", retryable=retryable, outcome_unknown=outcome_unknown, retry_after=retry_after
    ),
    st.sampled_from([UpstreamError, UpstreamTimeout, UpstreamUnavailable]),
    retryable=st.booleans(),
    outcome_unknown=st.booleans(),
    retry_after=st.floats(0, RETRY_AFTER_CAP),
)
ATTEMPTS = st.integers(1, 10_000)
JITTER = st.floats(0, 1, exclude_max=True)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds


@given(ERRORS, ATTEMPTS, JITTER)
def test_an_unknown_outcome_is_never_blindly_sent_again(
    error: UpstreamError, attempt: int, jitter: float
) -> None:
    decision = after_failure(error, attempt, jitter)
    if error.outcome_unknown:
        assert isinstance(decision, Reconcile | GiveUp)
    else:
        assert isinstance(decision, Retry | GiveUp)


@given(ERRORS, ATTEMPTS, JITTER)
def test_retries_end_exactly_when_they_must(
    error: UpstreamError, attempt: int, jitter: float
) -> None:
    given_up = isinstance(after_failure(error, attempt, jitter), GiveUp)
    assert given_up == (not error.retryable or attempt >= MAX_ATTEMPTS)


@given(ERRORS, ATTEMPTS, JITTER)
def test_the_wait_is_as_requested_and_bounded(
    error: UpstreamError, attempt: int, jitter: float
) -> None:
    decision = after_failure(error, attempt, jitter)
    if not isinstance(decision, GiveUp):
        bound = max(BACKOFF_CAP, error.retry_after, SETTLING_AFTER_TIMEOUT)
        assert error.retry_after <= decision.after <= bound


@given(ERRORS, st.integers(1, MAX_ATTEMPTS - 2), JITTER)
def test_a_later_attempt_never_waits_less(
    error: UpstreamError, attempt: int, jitter: float
) -> None:
    earlier, later = (after_failure(error, number, jitter) for number in (attempt, attempt + 1))
    if not isinstance(earlier, GiveUp) and not isinstance(later, GiveUp):
        assert earlier.after <= later.after


@given(st.text() | st.text("0123456789 GMTNov:,-+", max_size=40), TIMES)
def test_any_retry_after_is_read_as_a_bounded_wait(value: str, now: datetime) -> None:
    assert 0 <= retry_after_seconds(value, now) <= RETRY_AFTER_CAP


@given(TIMES, st.integers(-(10**6), 10**6))
def test_a_date_means_the_seconds_until_then(now: datetime, seconds: int) -> None:
    now = now.replace(microsecond=0)
    then = datetime.fromtimestamp(now.timestamp() + seconds, UTC)
    expected = min(max(seconds, 0), RETRY_AFTER_CAP)
    assert retry_after_seconds(format_datetime(then, usegmt=True), now) == expected
