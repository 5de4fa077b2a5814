"""Which state may follow which, and which step runs in each: two tables, no I/O."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec.structs import replace

from gateway.errors import IllegalTransition
from gateway.uploads.record import Change, Fault, State, Upload


class Step(StrEnum):
    """What workers do, by the names of their tasks."""

    INSPECT = "uploads.inspect"
    REGISTER = "uploads.register"
    AUDIT = "uploads.audit"
    RESUME = "uploads.resume"
    REMOVE = "uploads.remove"
    NOTIFY = "uploads.notify"
    SWEEP = "uploads.sweep"


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.RECEIVING: frozenset({State.STORED, State.RELAYED, State.FAILED, State.ABORTED}),
    State.STORED: frozenset({State.INSPECTED, State.REJECTED, State.FAILED}),
    State.INSPECTED: frozenset({State.REGISTERED, State.REJECTED, State.FAILED}),
    State.RELAYED: frozenset({State.AUDITED, State.FLAGGED, State.FAILED}),
}
"""States that are not listed are ends."""

SERVED: Final = frozenset({State.INSPECTED, State.REGISTERED})
"""States in which a hosted file may be read: inspection has passed."""


def is_end(state: State) -> bool:
    """Whether nothing follows the state."""
    return state not in TRANSITIONS


def begin(received: datetime, state: State, at: datetime) -> tuple[Change, ...]:
    """The history of an upload that was received from `received` on and then reached `state`."""
    return _follow((Change(State.RECEIVING, received),), state, at)


def advance(upload: Upload, state: State, at: datetime, fault: Fault | None = None) -> Upload:
    """The upload in its next state. Raises IllegalTransition if the table has no such step."""
    return replace(upload, history=_follow(upload.history, state, at), fault=fault or upload.fault)


def reopen(upload: Upload, at: datetime) -> Upload:
    """A failed upload that an operator retries, in the state in which it failed.

    Raises IllegalTransition if it has not failed, has an unknown outcome, or its file was removed:
    the file may still exist for a moment.
    """
    before = upload.history[-2].state
    if upload.state is not State.FAILED or before not in {State.STORED, State.INSPECTED}:
        raise IllegalTransition(f"an upload that is {upload.state} cannot be retried")
    if upload.removed is not None:
        raise IllegalTransition("its file was removed: it cannot be retried")
    attempt = upload.attempt
    if attempt is not None:  # its time starts again, or the first failure would be its last
        attempt = replace(attempt, count=0, first_at=at)
    history = (*upload.history, Change(before, at))
    return replace(upload, history=history, fault=None, result=None, attempt=attempt)


def supersedes(pending: Upload, ended: Upload) -> bool:
    """Whether the pending record of an upload is newer than the record of its end.

    It is if the upload was reopened. A relay that was taken for lost, but succeeded, is audited
    again, which does no harm. A fence, and the record that a purge leaves, are final.
    """
    if ended.state is State.ABORTED:
        return False
    return pending.state is State.RELAYED or len(pending.history) > len(ended.history)


def _follow(history: tuple[Change, ...], state: State, at: datetime) -> tuple[Change, ...]:
    current = history[-1].state
    if state not in TRANSITIONS.get(current, frozenset()):
        raise IllegalTransition(f"an upload that is {current} cannot become {state}")
    return (*history, Change(state, at))
