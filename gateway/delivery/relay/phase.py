"""The phases of a relay, the events that may happen in each, and the side that must act. Pure.

One table has all moves from phase to phase. The side that must act, and so the clock that runs,
follows from the phase alone.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from gateway.moves import table


class Phase(IntEnum):
    """The phase of a relay."""

    NEW = 0
    """The upstream was not contacted yet."""
    CONNECTING = 1
    """Connecting to the upstream. Bytes of the body that arrive are buffered."""
    RECEIVING = 2
    """The body arrives and is sent on."""
    BLOCKED = 3
    """The upstream's write buffer is full: the client has to wait."""
    AWAITING = 4
    """All of the body was sent on."""
    HOLDING = 5
    """The head of the answer has arrived, and its body is being read."""
    KEEPING = 6
    """The upstream accepted the upload: its record is being written."""
    ANSWERING = 7
    """The client receives an answer that is not complete yet."""
    OVER = 8
    """The relay has finished with the upstream."""


class Event(IntEnum):
    """What happens to a relay."""

    BEGUN = 0
    CONNECTED = 1
    SENT = 2
    """The last byte of the body was given to the upstream's connection."""
    FULL = 3
    """The upstream's write buffer is full."""
    DRAINED = 4
    """Most of the buffered bytes were sent."""
    ANSWERED = 5
    """The head of an answer has arrived, but not all of its body."""
    TAKEN = 6
    """A success has arrived: all of it, or the part that is held before the record is kept."""
    DECLINED = 7
    """Any other answer has arrived: all of it, or the part that is held."""
    KEPT = 8
    """The record is durable."""
    READ = 9
    """All of the answer was read."""
    STALE = 10
    """The connection had been idle for too long: another one is needed."""
    FAILED = 11
    """The relay is aborted: a fault, a time-out, or a client that has left."""


class Side(IntEnum):
    """The side that must act."""

    NOBODY = 0
    FRONT = 1
    """The front has time limits of its own."""
    CLIENT = 2
    UPSTREAM = 3
    LEDGER = 4


_ANSWER: Final = {
    Event.ANSWERED: Phase.HOLDING,
    Event.TAKEN: Phase.KEEPING,
    Event.DECLINED: Phase.ANSWERING,
    Event.FAILED: Phase.OVER,
}
"""The answer may come before the end of the body, even before the upstream has read any of it."""


def _stays(phase: Phase) -> dict[Event, Phase]:
    """The moves of a body that is still arriving after its answer has come."""
    return dict.fromkeys((Event.SENT, Event.FULL, Event.DRAINED), phase)


MOVES: Final[Mapping[Phase, Mapping[Event, Phase]]] = table(
    {
        Phase.NEW: {Event.BEGUN: Phase.CONNECTING, Event.FAILED: Phase.OVER},
        Phase.CONNECTING: {Event.CONNECTED: Phase.RECEIVING, Event.FAILED: Phase.OVER},
        Phase.RECEIVING: {
            Event.FULL: Phase.BLOCKED,
            Event.SENT: Phase.AWAITING,
            Event.STALE: Phase.CONNECTING,
            **_ANSWER,
        },
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
    }
)
"""The table of moves. An event that is not in it raises IllegalMoveError."""

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
"""The side that must act in each phase."""

ENDS_WITH_CLIENT: Final = frozenset({Phase.NEW, Phase.CONNECTING, Phase.RECEIVING, Phase.BLOCKED})
"""Phases in which an incomplete upload ends if its client leaves, its body is invalid, or its token
expires. In later phases the upstream may have acted on it.
"""
