"""The end of a session by a gateway, whose memory is limited."""

from typing import Final

from gateway.backends import Backends
from gateway.limits.budget import Budget
from gateway.resumable.finishing import finish, settle
from gateway.resumable.sessions import Kept, Sessions
from gateway.uploads.record import Upload

_PATIENCE: Final = 1.0
"""Seconds to wait for memory."""


async def end_session(
    backends: Backends, sessions: Sessions, budget: Budget, kept: Kept, *, again: bool
) -> Upload:
    """The upload that a complete session becomes, in memory for its tails, which are read.

    `again`: another process may have done so. Raises UploadSuperseded, SessionEnded,
    StoreUnavailable, BudgetExhausted.
    """
    session = kept.session
    ending = settle if again else finish
    async with budget.hold(session.upload.subject, session.in_tails, _PATIENCE) as memory:
        await memory.take(session.in_tails)
        memory.part_full()
        return await ending(backends, sessions, kept)
