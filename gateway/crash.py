"""Points at which a process kills or stops itself, so that tests can see what follows."""

import os
import signal
import threading
from enum import StrEnum


class Point(StrEnum):
    """A line after which something is durable; docs/durability.md has a row for each."""

    ACCEPT_WRITTEN = "accept.written"
    CLAIM_TAKEN = "claim.taken"
    END_EXPIRY_MARKED = "end.expiry-marked"
    END_RECORDED = "end.recorded"
    EXTERNAL_ACCEPTED = "external.accepted"
    EXTERNAL_OFFERED = "external.offered"
    EXTERNAL_STORED = "external.stored"
    FENCE_PLACED = "fence.placed"
    FENCE_RECORDED = "fence.recorded"
    INSPECT_PASSED = "inspect.passed"
    OFFER_TAKEN = "offer.taken"
    OUTBOX_PLACED = "outbox.placed"
    OUTBOX_SENT = "outbox.sent"
    OUTBOX_SET_ASIDE = "outbox.set-aside"
    RECOVER_KEPT = "recover.kept"
    REGISTER_ACTED = "register.acted"
    REGISTER_CLAIMED = "register.claimed"
    REGISTER_FAILED = "register.failed"
    RELAY_ANSWERED = "relay.answered"
    RELAY_BEGUN = "relay.begun"
    RELAY_KEPT = "relay.kept"
    REMOVAL_ACTED = "removal.acted"
    REMOVAL_ERASED = "removal.erased"
    REMOVAL_FILE_REMOVED = "removal.file-removed"
    REMOVAL_ORDERED = "removal.ordered"
    REMOVAL_RECORDED = "removal.recorded"
    REOPEN_KEPT = "reopen.kept"
    SESSION_ASSEMBLED = "session.assembled"
    SESSION_COMPLETE = "session.complete"
    SESSION_CREATED = "session.created"
    SESSION_PART = "session.part"
    SESSION_TAIL = "session.tail"
    VERDICT_FILE_REMOVED = "verdict.file-removed"
    VERDICT_KEPT = "verdict.kept"


def _asked(variable: str) -> Point | None:
    return Point(name) if (name := os.environ.get(variable)) else None


_SIGNALS = {_asked("CRASH_AT"): signal.SIGKILL, _asked("STOP_AT"): signal.SIGSTOP}
"""Set by tests only, and read once. No settings: they have no `GATEWAY_` prefix on purpose."""


def point(here: Point) -> None:
    """Die here by SIGKILL, or stand still until SIGCONT, if a test asked for it.

    The signal goes to this thread: one for the process may stop the main thread first, and let
    this one run on for a while.
    """
    if here in _SIGNALS:
        signal.pthread_kill(threading.get_ident(), _SIGNALS[here])
