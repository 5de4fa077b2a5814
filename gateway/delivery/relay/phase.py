"""How far a relay has come, what may happen to it then, and who is to act. Pure.

All that moves a relay from phase to phase is in this one table. Whose turn it is, and so which
clock runs, follows from the phase alone.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

# Both are integers, since their hashes and comparisons are not made in Python.


class Phase(IntEnum):
    """How far it has come."""

    NEW = 0
    """Nothing was asked of the upstream."""
    CONNECTING = 1
    """The upstream is being connected to. What comes of the body waits."""
    RECEIVING = 2
    """The body comes, and is sent on."""
    BLOCKED = 3
    """The upstream takes no more for now: the client is made to wait."""
    AWAITING = 4
    """All of the body was sent on."""
    HOLDING = 5
    """The head of the answer has come, and its body is read."""
    KEEPING = 6
    """The upstream took the upload: its record is being kept."""
    ANSWERING = 7
    """The client is given the answer, whose end is still to come."""
    OVER = 8
    """The upstream has nothing more to do with it."""


class Event(IntEnum):
    """What happens to it."""

    BEGUN = 0
    CONNECTED = 1
    SENT = 2
    """The last byte of the body was given to the upstream's connection."""
    FULL = 3
    """The upstream's connection holds as much as it may."""
    DRAINED = 4
    """Most of that was sent."""
    ANSWERED = 5
    """The head of an answer has come, and not all of its body."""
    TAKEN = 6
    """An answer of success has come, or as much of it as is held."""
    DECLINED = 7
    """The same of any other answer."""
    KEPT = 8
    """The record is durable."""
    READ = 9
    """All of the answer was read."""
    FAILED = 10
    """Nothing comes of it: a fault, a time-out, or nobody wants the rest."""


class Side(IntEnum):
    """Who may be waited for."""

    NOBODY = 0
    FRONT = 1
    """Whoever speaks to the client has clocks of its own."""
    CLIENT = 2
    UPSTREAM = 3
    LEDGER = 4


class IllegalMoveError(Exception):
    """What happened cannot happen in this phase: a fault of the gateway's own."""


class _Moves(dict[Event, Phase]):
    """The phases that follow one phase."""

    def __init__(self, phase: Phase, moves: Mapping[Event, Phase]) -> None:
        super().__init__(moves)
        self._phase = phase

    def __missing__(self, event: Event) -> Phase:
        raise IllegalMoveError(f"{event.name} while {self._phase.name}")


_ANSWER: Final = {
    Event.ANSWERED: Phase.HOLDING,
    Event.TAKEN: Phase.KEEPING,
    Event.DECLINED: Phase.ANSWERING,
    Event.FAILED: Phase.OVER,
}
"""An answer may come before the body has ended, and before the upstream has read any of it."""


def _stays(phase: Phase) -> dict[Event, Phase]:
    """What happens to a body that is still under way when its answer has come."""
    return dict.fromkeys((Event.SENT, Event.FULL, Event.DRAINED), phase)


MOVES: Final[Mapping[Phase, Mapping[Event, Phase]]] = {
    phase: _Moves(phase, moves)
    for phase, moves in {
        Phase.NEW: {Event.BEGUN: Phase.CONNECTING, Event.FAILED: Phase.OVER},
        Phase.CONNECTING: {Event.CONNECTED: Phase.RECEIVING, Event.FAILED: Phase.OVER},
        Phase.RECEIVING: {Event.FULL: Phase.BLOCKED, Event.SENT: Phase.AWAITING, **_ANSWER},
        Phase.BLOCKED: {Event.DRAINED: Phase.RECEIVING, Event.SENT: Phase.AWAITING, **_ANSWER},
        Phase.AWAITING: {
            Event.FULL: Phase.AWAITING,
            Event.DRAINED: Phase.AWAITING,
            **_ANSWER,
        },
        Phase.HOLDING: {
            **_stays(Phase.HOLDING),
            Event.TAKEN: Phase.KEEPING,
            Event.DECLINED: Phase.ANSWERING,
            Event.FAILED: Phase.OVER,
        },
        Phase.KEEPING: {
            **_stays(Phase.KEEPING),
            Event.KEPT: Phase.ANSWERING,
            Event.FAILED: Phase.OVER,
        },
        Phase.ANSWERING: {
            Event.FULL: Phase.ANSWERING,
            Event.DRAINED: Phase.ANSWERING,
            Event.READ: Phase.OVER,
            Event.FAILED: Phase.OVER,
        },
        Phase.OVER: {},
    }.items()
}
"""What follows. What is not here raises IllegalMoveError."""

TO_ACT: Final[Mapping[Phase, Side]] = {
    Phase.NEW: Side.FRONT,
    Phase.CONNECTING: Side.UPSTREAM,
    Phase.RECEIVING: Side.CLIENT,
    Phase.BLOCKED: Side.UPSTREAM,
    Phase.AWAITING: Side.UPSTREAM,
    Phase.HOLDING: Side.UPSTREAM,
    Phase.KEEPING: Side.LEDGER,
    Phase.ANSWERING: Side.FRONT,
    Phase.OVER: Side.NOBODY,
}
"""Who is waited for."""

ENDS_WITH_CLIENT: Final = frozenset({Phase.NEW, Phase.CONNECTING, Phase.RECEIVING, Phase.BLOCKED})
"""In these, a client that goes away takes the upload with it, if its body is not whole."""

ENDS_WITH_TOKEN: Final = frozenset(
    {Phase.CONNECTING, Phase.RECEIVING, Phase.BLOCKED, Phase.HOLDING}
)
"""In these, a body that is not whole may not go on for long after its token has ended."""
