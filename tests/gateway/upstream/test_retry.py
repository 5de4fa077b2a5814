"""What follows a failed registration."""

from datetime import UTC, datetime

import pytest

from gateway.errors import UpstreamTimeout, UpstreamUnavailable
from gateway.upstream.retry import (
    BACKOFF_CAP,
    LISTING,
    LISTING_AFTER_TIMEOUT,
    MAX_ATTEMPTS,
    RETRY_AFTER_CAP,
    RETRY_WINDOW,
    SETTLING,
    SETTLING_AFTER_TIMEOUT,
    GiveUp,
    Reconcile,
    Retry,
    after_failure,
    is_retryable,
    may_have_acted,
    retry_after_seconds,
)

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
ALMOST_ONE = 0.999999


def test_a_known_refusal_is_tried_again() -> None:
    assert after_failure(UpstreamUnavailable(""), 1, 0.5) == Retry(0.5)


def test_an_unknown_outcome_is_looked_up_first_and_never_at_once() -> None:
    error = UpstreamUnavailable("", outcome_unknown=True)
    assert after_failure(error, 1, 0.0) == Reconcile(SETTLING, LISTING)


def test_a_silent_upstream_gets_more_time_to_settle() -> None:
    error = UpstreamTimeout("", outcome_unknown=True)
    assert after_failure(error, 1, 0.0) == Reconcile(SETTLING_AFTER_TIMEOUT, LISTING_AFTER_TIMEOUT)


@pytest.mark.parametrize("outcome_unknown", [False, True])
def test_what_cannot_succeed_later_is_given_up(outcome_unknown: bool) -> None:
    error = UpstreamUnavailable("", retryable=False, outcome_unknown=outcome_unknown)
    assert after_failure(error, 1, 0.5) == GiveUp()


@pytest.mark.parametrize("outcome_unknown", [False, True])
def test_the_last_attempt_is_the_last(outcome_unknown: bool) -> None:
    error = UpstreamUnavailable("", outcome_unknown=outcome_unknown)
    assert after_failure(error, MAX_ATTEMPTS, 0.5) == GiveUp()
    assert after_failure(error, MAX_ATTEMPTS - 1, 0.5) != GiveUp()


def test_the_wait_that_the_upstream_asks_for_is_kept() -> None:
    assert after_failure(UpstreamUnavailable("", retry_after=30.0), 1, 0.5) == Retry(30.0)
    longer = after_failure(UpstreamUnavailable("", retry_after=20.0), 9, ALMOST_ONE)
    assert isinstance(longer, Retry)
    assert longer.after > 20.0


def test_the_waits_grow_up_to_the_cap() -> None:
    decisions = [
        after_failure(UpstreamUnavailable(""), attempt, ALMOST_ONE)
        for attempt in range(1, MAX_ATTEMPTS)
    ]
    waits = [decision.after for decision in decisions if isinstance(decision, Retry)]
    assert waits == sorted(waits)
    assert waits[:3] == pytest.approx([1.0, 2.0, 4.0], rel=1e-5)
    assert waits[-1] == pytest.approx(BACKOFF_CAP, rel=1e-5)
    assert sum(waits) < RETRY_WINDOW


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, False),
        (401, False),
        (403, False),
        (404, False),
        (408, True),
        (409, False),
        (413, False),
        (425, True),
        (429, True),
        (302, False),
        (500, True),
        (502, True),
        (503, True),
        (504, True),
    ],
)
def test_a_client_error_is_final_unless_it_asks_to_retry(status: int, expected: bool) -> None:
    assert is_retryable(status) is expected


@pytest.mark.parametrize(
    ("status", "asks_to_wait", "expected"),
    [
        (400, False, False),
        (408, False, False),
        (429, True, False),
        (429, False, False),
        (500, False, True),
        (500, True, True),
        (502, False, True),
        (504, True, True),
        (503, False, True),
        (503, True, False),
    ],
)
def test_a_server_error_leaves_the_outcome_unknown_unless_a_503_says_when_to_retry(
    status: int, asks_to_wait: bool, expected: bool
) -> None:
    assert may_have_acted(status, asks_to_wait=asks_to_wait) is expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0.0),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Tue, 24 Nov 2026 12:00:30 GMT", 30.0),
        ("Tuesday, 24-Nov-26 12:00:30 GMT", 30.0),
        ("Tue Nov 24 12:00:30 2026", 30.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 24 Nov 2096 12:00:00 GMT", RETRY_AFTER_CAP),
        ("9" * 10_000, RETRY_AFTER_CAP),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("\N{ARABIC-INDIC DIGIT THREE}", 0.0),
        ("soon", 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str | None, seconds: float) -> None:
    assert retry_after_seconds(value, NOW) == seconds
