"""A body is fast enough or not, whatever the moments at which it is looked at."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.minimum_rate import Floor, Pace

FLOOR = Floor(rate=1000, seconds=10.0)

STEPS = st.lists(st.floats(0.01, 30.0), min_size=1, max_size=50)


def test_the_first_period_is_a_grace() -> None:
    assert Pace(FLOOR).keeps_up(9.9, 0)


def test_body_below_the_minimum_rate_ends_after_a_period() -> None:
    assert not Pace(FLOOR).keeps_up(10.0, 9_999)


def test_a_quick_beginning_is_no_credit_for_what_follows() -> None:
    pace = Pace(FLOOR)
    assert pace.keeps_up(10.0, 10_000_000)
    assert not pace.keeps_up(20.0, 10_000_001)


def test_time_that_was_not_the_clients_does_not_count() -> None:
    pace = Pace(FLOOR)
    assert all(pace.keeps_up(5.0, 100) for _ in range(1000))


@given(steps=STEPS)
def test_client_at_the_minimum_rate_is_never_too_slow(steps: list[float]) -> None:
    pace, waited = Pace(FLOOR), 0.0
    for step in steps:
        waited += step
        assert pace.keeps_up(waited, int(waited * FLOOR.rate * 1.001) + 1)


@given(steps=STEPS)
def test_client_at_half_the_minimum_rate_is_too_slow_within_three_periods(
    steps: list[float],
) -> None:
    pace, waited, told = Pace(FLOOR), 0.0, False
    for step in [*steps, FLOOR.seconds, FLOOR.seconds]:
        waited += step
        told = told or not pace.keeps_up(waited, int(waited * FLOOR.rate / 2))
    assert told


@given(steps=STEPS)
def test_no_rate_is_no_limit(steps: list[float]) -> None:
    pace, waited = Pace(Floor(0, 10.0)), 0.0
    for step in steps:
        waited += step
        assert pace.keeps_up(waited, 0)
