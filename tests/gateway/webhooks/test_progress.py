"""Each case of a message's progress, in a table; properties are elsewhere."""

import pytest

from gateway.webhooks.progress import (
    Over,
    Progress,
    Standing,
    begun,
    carried_over,
    changed,
    is_due,
    not_over,
    reopened,
    without,
)
from gateway.webhooks.schedule import GIVE_UP_AFTER, PAUSES, pause_after

SENT = Standing(attempts=1, over=Over.DELIVERED)
DEAD = Standing(attempts=9, over=Over.DEAD)
WAITING = Standing(attempts=2, pause=10.0)


@pytest.mark.parametrize(
    ("standings", "is_over", "is_dead"),
    [
        ({"a": SENT}, True, False),
        ({"a": SENT, "b": DEAD}, True, True),
        ({"a": SENT, "b": WAITING}, False, False),
        ({"a": DEAD, "b": WAITING}, False, True),
    ],
)
def test_a_message_is_over_when_it_is_at_every_endpoint(
    standings: dict[str, Standing], is_over: bool, is_dead: bool
) -> None:
    progress = Progress(endpoints=standings)
    assert (progress.is_over, progress.is_dead) == (is_over, is_dead)


def test_an_attempt_is_due_after_its_pause() -> None:
    assert [is_due(WAITING, age) for age in (9.0, 10.0)] == [False, True]
    assert not is_due(SENT, 1000.0)
    again = carried_over(Progress(endpoints={"a": WAITING}, waited=5.0), 4.0)
    assert (again.waited, again.endpoints["a"].pause) == (9.0, 6.0)


def test_an_endpoint_that_was_removed_is_given_up_after_a_day() -> None:
    young = Progress(endpoints={"a": WAITING, "b": SENT}, waited=GIVE_UP_AFTER - 1)
    assert without(young, []) == {}
    old = Progress(endpoints=young.endpoints, waited=GIVE_UP_AFTER)
    assert without(old, ["a"]) == {}
    given_up = without(old, [])
    assert given_up.keys() == {"a"}
    assert changed(old, given_up).is_over


@pytest.mark.parametrize(
    ("newer", "standing", "counts"),
    [
        (WAITING, DEAD, True),
        (SENT, WAITING, False),
        (SENT, DEAD, False),
        (DEAD, SENT, True),
    ],
)
def test_what_another_worker_has_brought_further_stays(
    newer: Standing, standing: Standing, counts: bool
) -> None:
    progress = Progress(endpoints={"a": newer})
    assert not_over(progress, {"a": standing, "b": SENT}) == ({"a": standing} if counts else {})


def test_a_dead_letter_is_sent_again() -> None:
    progress = Progress(endpoints={"a": DEAD, "b": SENT}, waited=GIVE_UP_AFTER)
    assert reopened(progress, ["b"]) is None
    for chosen in (None, ["a"]):
        again = reopened(progress, chosen)
        endpoints = {"a": begun(["a"]).endpoints["a"], "b": SENT}
        assert again == Progress(endpoints=endpoints, again=True)


@pytest.mark.parametrize(
    ("attempts", "waited", "asked", "pause"),
    [
        (0, 0.0, 0.0, PAUSES[0]),
        (1, 0.0, 0.0, PAUSES[0]),
        (2, 5.0, 0.0, PAUSES[1]),
        (2, 5.0, 10_000.0, 10_000.0),
        (1, GIVE_UP_AFTER, 0.0, None),
        (len(PAUSES) + 1, 100.0, 0.0, None),
    ],
)
def test_when_a_message_is_sent_again(
    attempts: int, waited: float, asked: float, pause: float | None
) -> None:
    assert pause_after(attempts, waited, asked, 0.0) == pause
