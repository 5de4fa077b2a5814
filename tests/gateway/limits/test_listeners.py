from contextlib import ExitStack

import pytest

from gateway.errors import TooManyListeners, TooManyListenersOfSubject
from gateway.limits.listeners import POLL, STREAM, Listeners


def test_a_place_is_free_again_after_its_block() -> None:
    listeners = Listeners(1, 0)
    for _ in range(2):
        with listeners.hold("alice", STREAM), pytest.raises(TooManyListeners):
            listeners.hold("bob", POLL).__enter__()


def test_streams_and_polls_of_all_subjects_share_the_places() -> None:
    listeners = Listeners(2, 0)
    with (
        listeners.hold("alice", STREAM),
        listeners.hold("bob", POLL),
        pytest.raises(TooManyListeners),
    ):
        listeners.hold("carol", STREAM).__enter__()


def test_one_subject_has_as_many_as_it_may() -> None:
    listeners = Listeners(9, 2)
    with ExitStack() as stack:
        for kind in (STREAM, POLL):
            stack.enter_context(listeners.hold("alice", kind))
        stack.enter_context(listeners.hold("bob", STREAM))
        with pytest.raises(TooManyListenersOfSubject):
            listeners.hold("alice", STREAM).__enter__()
    with listeners.hold("alice", STREAM), listeners.hold("alice", STREAM):
        pass
