"""A message is sent over a day, at each endpoint until it is over there, and then it is over."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.webhooks.progress import (
    Over,
    Progress,
    Standing,
    begun,
    carried_over,
    changed,
    is_due,
    reopened,
    without,
)
from gateway.webhooks.schedule import GIVE_UP_AFTER, PAUSES, POINTS, pause_after

NAMES = st.sampled_from(["a", "b", "c"])
STANDINGS = st.builds(
    Standing,
    attempts=st.integers(0, 12),
    pause=st.floats(0, 40_000),
    over=st.sampled_from([None, *Over]),
)
PROGRESSES = st.builds(
    Progress,
    endpoints=st.dictionaries(NAMES, STANDINGS, min_size=1),
    waited=st.floats(0, 200_000),
)
AGES = st.integers(0, 100_000).map(float)


def test_the_attempts_are_spread_over_a_day() -> None:
    assert [sum(PAUSES[:count]) for count in range(len(POINTS))] == list(POINTS)
    assert len(POINTS) == 10
    assert POINTS[-1] == 86_400


@given(st.floats(0, 1))
def test_a_receiver_that_never_accepts_gets_ten_attempts_in_a_day(jitter: float) -> None:
    waited, attempts = 0.0, 1
    while (pause := pause_after(attempts, waited, 0.0, jitter)) is not None:
        waited, attempts = waited + pause, attempts + 1
    assert attempts in {len(POINTS), len(POINTS) - 1}
    assert GIVE_UP_AFTER <= waited <= 1.1 * GIVE_UP_AFTER


@given(st.integers(0, 10), st.floats(0, 86_399), st.floats(0, 3600), st.floats(0, 1))
def test_a_receiver_is_not_asked_before_it_wants(
    attempts: int, waited: float, asked: float, jitter: float
) -> None:
    pause = pause_after(attempts, waited, asked, jitter)
    assert pause is None or pause >= max(asked, PAUSES[0])


@given(PROGRESSES, AGES, AGES)
def test_what_is_written_again_is_due_when_it_was(
    progress: Progress, age: float, more: float
) -> None:
    again = carried_over(progress, age)
    assert again.waited == progress.waited + age
    for name, standing in progress.endpoints.items():
        if abs(age + more - standing.pause) > 1e-3:
            assert is_due(standing, age + more) == is_due(again.endpoints[name], more)


@given(PROGRESSES, st.sets(NAMES))
def test_only_an_endpoint_that_is_unknown_for_a_day_is_given_up(
    progress: Progress, known: set[str]
) -> None:
    given_up = without(progress, known)
    assert known.isdisjoint(given_up)
    assert not given_up or progress.waited >= GIVE_UP_AFTER
    assert all(progress.endpoints[name].over is None for name in given_up)
    if progress.waited >= GIVE_UP_AFTER:
        assert changed(progress, given_up).is_over or known.intersection(progress.endpoints)


@given(PROGRESSES, st.none() | st.sets(NAMES))
def test_a_dead_letter_is_sent_again_only_where_it_is_dead(
    progress: Progress, chosen: set[str] | None
) -> None:
    again = reopened(progress, chosen)
    dead = {name for name, each in progress.endpoints.items() if each.over is Over.DEAD}
    wanted = dead if chosen is None else dead & chosen
    assert (again is None) == (not wanted)
    if again is not None:
        assert again.waited == 0
        assert not again.is_over
        for name, standing in again.endpoints.items():
            assert standing == (Standing() if name in wanted else progress.endpoints[name])


@given(st.sets(NAMES, min_size=1))
def test_what_begins_is_due_everywhere(names: set[str]) -> None:
    progress = begun(names)
    assert all(is_due(standing, 0.0) for standing in progress.endpoints.values())
    assert not progress.is_over
    assert not progress.is_dead
