"""The table of a relay's moves."""

import pytest

from gateway.delivery.relay.phase import MOVES, TO_ACT, Event, Phase, Side
from gateway.moves import IllegalMoveError


def test_each_phase_has_its_moves_and_a_side_that_must_act() -> None:
    assert set(MOVES) == set(TO_ACT) == set(Phase)


def test_each_phase_can_be_reached_from_the_first() -> None:
    found = {Phase.NEW}
    while more := {after for phase in found for after in MOVES[phase].values()} - found:
        found |= more
    assert found == set(Phase)


def test_each_phase_but_the_last_can_fail() -> None:
    assert {phase for phase in Phase if MOVES[phase].get(Event.FAILED) is Phase.OVER} == (
        set(Phase) - {Phase.OVER}
    )


def test_the_last_phase_has_no_moves_and_waits_for_no_side() -> None:
    assert not MOVES[Phase.OVER]
    assert TO_ACT[Phase.OVER] is Side.NOBODY


def test_only_a_body_that_continues_and_a_stale_connection_return_to_an_earlier_phase() -> None:
    back = {(phase, after) for phase in Phase for after in MOVES[phase].values() if after < phase}
    assert back == {(Phase.BLOCKED, Phase.RECEIVING), (Phase.RECEIVING, Phase.CONNECTING)}


@pytest.mark.parametrize("phase", Phase)
def test_an_event_that_is_not_in_the_table_is_a_fault(phase: Phase) -> None:
    for event in set(Event) - set(MOVES[phase]):
        with pytest.raises(IllegalMoveError, match=f"{event.name} while {phase.name}"):
            MOVES[phase][event]
