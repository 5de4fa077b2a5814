"""Whose turn it is, by the age of a record."""

from datetime import UTC, datetime

import pytest

from gateway.uploads.attempts import carried_over, is_due, under_way_for
from gateway.uploads.record import Attempt

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def attempt(**waits: float) -> Attempt:
    return Attempt(count=1, first_at=NOW, unknown=True, **waits)


def test_nothing_is_in_progress_without_an_attempt() -> None:
    assert under_way_for(None, 0) == 0
    assert is_due(None, 0)


@pytest.mark.parametrize(("age", "left"), [(0, 81), (80, 1), (81, 0), (500, 0)])
def test_an_attempt_may_be_in_progress_until_its_lease_expires(age: float, left: float) -> None:
    assert under_way_for(attempt(lease=80), age) == left
    assert is_due(attempt(lease=80), age) is (left == 0)


def test_a_pause_is_kept_even_if_nothing_is_in_progress() -> None:
    assert under_way_for(attempt(pause=10), 0) == 0
    assert not is_due(attempt(pause=10), 9)
    assert is_due(attempt(pause=10), 10)


def test_what_was_waited_for_in_one_record_is_not_waited_for_in_the_next() -> None:
    before = attempt(lease=80, pause=10, settling=15)
    assert carried_over(before, 12) == attempt(lease=68, pause=0, settling=3)
    assert under_way_for(carried_over(before, 81), 0) == 0
