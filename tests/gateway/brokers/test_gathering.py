"""Tasks that arrive within a moment share messages; none is lost, doubled, early or late."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.brokers.gathering import Gatherer, Gathering, Message

GATHERINGS = {"soon": Gathering(seconds=0.005, largest=8), "later": Gathering(0.5, 500)}
NAMES = st.sampled_from(["soon", "later", "alone"])
PAUSES = st.floats(0, 1)


def ids_of(message: Message) -> list[str]:
    return [message.ids] if isinstance(message.ids, str) else message.ids


@given(st.lists(st.tuples(NAMES, PAUSES, st.booleans())))
def test_each_task_is_in_one_message_in_time_and_in_turn(
    given_: list[tuple[str, float, bool]],
) -> None:
    gatherer = Gatherer(GATHERINGS)
    sent: dict[str, list[str]] = {"soon": [], "later": [], "alone": []}
    given_ids: dict[str, list[str]] = {"soon": [], "later": [], "alone": []}
    last: dict[str, float] = {}
    now = 0.0

    def take(*, all_of_them: bool = False) -> None:
        taken = gatherer.take(now, all_of_them=all_of_them)
        for name in {message.name for message in taken}:
            gathering = GATHERINGS.get(name)
            if gathering is not None and name in last and not all_of_them:
                assert now >= last[name] + gathering.seconds
            last[name] = now
        for message in taken:
            assert isinstance(message.ids, list) is (message.name in GATHERINGS)
            if message.name in GATHERINGS:
                assert 0 < len(message.ids) <= GATHERINGS[message.name].largest
            sent[message.name] += ids_of(message)
        assert gatherer.due() > now

    for number, (name, pause, is_looked_at) in enumerate(given_):
        gatherer.add(name, f"{number}")
        given_ids[name].append(f"{number}")
        assert gatherer.due() <= gatherer.due_of(name)
        if is_looked_at:
            take()
        now += pause
    take(all_of_them=True)
    assert sent == given_ids
    assert gatherer.due() == math.inf


def test_the_first_task_is_due_at_once_and_the_next_ones_together() -> None:
    gatherer = Gatherer(GATHERINGS)
    gatherer.add("soon", "a")
    assert gatherer.take(10.0) == [("soon", ["a"])]
    for each in "bcdefghijk":
        gatherer.add("soon", each)
    gatherer.add("alone", "x")
    gatherer.add("alone", "y")
    assert gatherer.due() <= 10.0
    assert gatherer.take(10.0) == [("alone", "x"), ("alone", "y")]
    assert gatherer.due() == 10.0 + GATHERINGS["soon"].seconds
    assert Counter(len(message.ids) for message in gatherer.take(10.005)) == {8: 1, 2: 1}


@given(st.lists(st.tuples(NAMES, st.booleans())))
def test_a_task_by_itself_is_due_at_once_and_shares_no_message(
    added: list[tuple[str, bool]],
) -> None:
    gatherer = Gatherer(GATHERINGS)
    for name in GATHERINGS:
        gatherer.add(name, "first")
    gatherer.take(0.0)  # from here on those that share messages wait
    alone: list[Message] = []
    for number, (name, is_alone) in enumerate(added):
        if is_alone:
            gatherer.add_alone(name, f"{number}")
            alone.append(Message(name, [f"{number}"] if name in GATHERINGS else f"{number}"))
            assert gatherer.due() < 0.0
        else:
            gatherer.add(name, f"{number}")
    taken = gatherer.take(0.0)
    assert taken[: len(alone)] == alone
    assert {message.name for message in taken[len(alone) :]} <= {"alone"}
    rest = [each for message in gatherer.take(1.0) for each in ids_of(message)]
    waiting = [
        str(n) for n, (name, is_alone) in enumerate(added) if not is_alone and name != "alone"
    ]
    assert sorted(rest) == sorted(waiting)
