"""No window, wherever it begins, holds more than is allowed, and waiting times are true."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.window import SLICES, Window, slice_length

LIMIT: Final = 20
SECONDS: Final = 3
WINDOW: Final = SECONDS * 1000

steps = st.lists(st.tuples(st.integers(0, WINDOW // 2), st.integers(1, LIMIT)), max_size=60)
"""Milliseconds since the step before, and what is asked for."""

start = st.integers(0, 10**13)


def play(
    window: Window, now: int, asked: list[tuple[int, int]]
) -> tuple[list[tuple[int, int]], int]:
    """What was taken, and when; and the time at the end."""
    taken = []
    for pause, need in asked:
        now += pause
        if not window.ask(need, LIMIT, now).wait:
            window.add(need, now)
            taken.append((now, need))
    return taken, now


@given(start, steps)
def test_no_window_holds_more_than_the_limit(begin: int, asked: list[tuple[int, int]]) -> None:
    taken, _ = play(Window(SECONDS), begin, asked)
    for first, _ in taken:
        within = sum(need for at, need in taken if first <= at < first + WINDOW)
        assert within <= LIMIT


@given(start, steps, st.integers(1, LIMIT))
def test_quota_is_free_after_the_reported_wait_and_not_before(
    begin: int, asked: list[tuple[int, int]], need: int
) -> None:
    window = Window(SECONDS)
    _, now = play(window, begin, asked)
    wait = window.ask(need, LIMIT, now).wait
    assert 0 <= wait <= WINDOW + slice_length(SECONDS)
    if wait:
        assert window.ask(need, LIMIT, now + wait - 1).wait == 1
        assert window.ask(need, LIMIT, now + wait).wait == 0


@given(start, steps)
def test_no_more_can_be_used_until_some_is_free_again(
    begin: int, asked: list[tuple[int, int]]
) -> None:
    window = Window(SECONDS)
    _, now = play(window, begin, asked)
    use = window.ask(1, LIMIT, now)
    if use.back:
        assert window.ask(1, LIMIT, now + use.back - 1).used == use.used
        assert window.ask(1, LIMIT, now + use.back).used < use.used
    else:
        assert use.used == 0


@given(start, steps)
def test_all_used_quota_is_free_again_and_nothing_is_remembered(
    begin: int, asked: list[tuple[int, int]]
) -> None:
    window = Window(SECONDS)
    _, now = play(window, begin, asked)
    assert len(window) <= SLICES + 1
    assert window.ask(LIMIT, LIMIT, now + WINDOW + slice_length(SECONDS)).used == 0
    assert len(window) == 0


@given(start, steps, st.integers(0, 2 * LIMIT))
def test_no_more_is_given_back_than_was_taken(
    begin: int, asked: list[tuple[int, int]], amount: int
) -> None:
    window = Window(SECONDS)
    _, now = play(window, begin, asked)
    before = window.ask(1, LIMIT, now).used
    number = window.add(5, now)
    window.give_back(amount, number)
    assert max(0, before + 5 - amount) <= window.ask(1, LIMIT, now).used <= before + 5


@given(start, st.integers(0, 10**9))
def test_clock_set_back_does_not_lock_subjects_out(begin: int, back: int) -> None:
    window = Window(SECONDS)
    window.add(LIMIT, begin + back + slice_length(SECONDS))
    wait = window.ask(1, LIMIT, begin).wait
    assert wait <= 2 * WINDOW + slice_length(SECONDS)
