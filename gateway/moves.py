"""The table of a state machine: which phase follows each phase, by what happens in it. Pure."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Generic, TypeVar

Phase = TypeVar("Phase", bound=IntEnum)
Event = TypeVar("Event", bound=IntEnum)

# Both are integers, since these are hashed and compared in C.


class IllegalMoveError(Exception):
    """The event cannot happen in this phase: a bug in the gateway."""


class _Moves(dict[Event, Phase], Generic[Event, Phase]):
    """The phases that follow one phase."""

    def __init__(self, phase: Phase, moves: Mapping[Event, Phase]) -> None:
        super().__init__(moves)
        self._phase = phase

    def __missing__(self, event: Event) -> Phase:
        raise IllegalMoveError(f"{event.name} while {self._phase.name}")


def table(moves: Mapping[Phase, Mapping[Event, Phase]]) -> Mapping[Phase, Mapping[Event, Phase]]:
    """The same moves; to look up an event that is not in them raises IllegalMoveError."""
    return {phase: _Moves(phase, followed) for phase, followed in moves.items()}
