"""How many offers are open: many only while they are taken."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.offering import MOST_OPEN, PAUSE, Offering

OUTCOMES = st.sampled_from([True, False, None])


def filled(offering: Offering, now: float) -> int:
    """How many offers it allows at once; they stay open."""
    count = 0
    while offering.begin(now):
        count += 1
    return count


def test_the_first_offer_is_made_alone() -> None:
    offering = Offering()
    assert filled(offering, 0.0) == 1
    offering.end(0.1, taken=True)
    assert filled(offering, 0.1) == MOST_OPEN


def test_an_unanswered_offer_is_followed_by_a_pause_and_a_single_offer() -> None:
    offering = Offering()
    offering.begin(0.0)
    offering.end(0.0, taken=True)
    offering.begin(0.0)
    offering.end(2.0, taken=False)
    assert filled(offering, 2.0) == 0
    assert filled(offering, 2.0 + PAUSE - 0.01) == 0
    assert filled(offering, 2.0 + PAUSE) == 1


def test_an_unknown_outcome_changes_nothing() -> None:
    offering = Offering()
    offering.begin(0.0)
    offering.end(0.0, taken=None)
    assert filled(offering, 0.0) == 1


@given(st.lists(st.tuples(st.floats(0, 5), OUTCOMES, st.integers(0, 70)), max_size=30))
def test_offers_are_bounded_and_never_stop_for_good(
    steps: list[tuple[float, bool | None, int]],
) -> None:
    offering, now, still_open = Offering(), 0.0, 0
    for passed, taken, ended in steps:
        now += passed
        still_open += filled(offering, now)
        assert still_open <= MOST_OPEN
        for _ in range(min(ended, still_open)):
            offering.end(now, taken=taken)
            still_open -= 1
    for _ in range(still_open):
        offering.end(now, taken=False)
    assert filled(offering, now + PAUSE) >= 1
