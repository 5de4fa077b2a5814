"""What holds for the tables of moves of relays and of passed requests."""

from types import ModuleType

import pytest

from gateway.delivery.relay import passage, phase
from gateway.moves import IllegalMoveError

TABLES = pytest.mark.parametrize("table", [phase, passage], ids=["relay", "passage"])


@TABLES
def test_each_phase_has_its_moves_and_a_side_that_must_act(table: ModuleType) -> None:
    assert set(table.MOVES) == set(table.TO_ACT) == set(table.Phase)


@TABLES
def test_each_phase_can_be_reached_from_the_first(table: ModuleType) -> None:
    found = {table.Phase.NEW}
    while more := {after for each in found for after in table.MOVES[each].values()} - found:
        found |= more
    assert found == set(table.Phase)


@TABLES
def test_each_phase_but_the_last_can_fail(table: ModuleType) -> None:
    failed, over = table.Event.FAILED, table.Phase.OVER
    assert {each for each in table.Phase if table.MOVES[each].get(failed) is over} == (
        set(table.Phase) - {over}
    )


@TABLES
def test_the_last_phase_has_no_moves_and_waits_for_no_side(table: ModuleType) -> None:
    assert not table.MOVES[table.Phase.OVER]
    assert table.TO_ACT[table.Phase.OVER] is phase.Side.NOBODY


@TABLES
def test_an_event_that_is_not_in_the_table_is_a_fault(table: ModuleType) -> None:
    for each in table.Phase:
        for event in set(table.Event) - set(table.MOVES[each]):
            with pytest.raises(IllegalMoveError, match=f"{event.name} while {each.name}"):
                table.MOVES[each][event]
