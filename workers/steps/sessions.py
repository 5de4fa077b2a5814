"""Finishes an upload in several requests that its gateway has left, or that a purge has found."""

from gateway.backends import Backends
from gateway.errors import (
    SessionEnded,
    SessionTaken,
    SessionUnreadable,
    UploadNotFound,
    UploadSuperseded,
)
from gateway.resumable.clearing import clear_unreadable
from gateway.resumable.finishing import give_up, settle
from gateway.resumable.session import Phase
from gateway.resumable.sessions import Sessions
from gateway.telemetry import get_logger

log = get_logger(__name__)


async def end_session(backends: Backends, upload_id: str) -> None:
    """Make the file of a complete session; remove an abandoned one; leave any other alone.

    Raises StoreUnavailable.
    """
    sessions = Sessions(backends.store)
    try:
        kept = await sessions.read(upload_id)
    except (UploadNotFound, SessionUnreadable):
        return
    try:
        if kept.session.phase is Phase.COMPLETE:
            await settle(backends, sessions, kept)
        elif kept.session.phase is not Phase.OPEN:
            await give_up(backends, sessions, kept, kept.session.phase)
    except (SessionEnded, SessionTaken, UploadSuperseded) as error:
        log.warning("session.not_finished", upload_id=upload_id, error=repr(error))


async def cancel_session(backends: Backends, upload_id: str) -> bool:
    """Cancel a session that is open or unreadable, and have a complete one finished first.

    Returns whether no session is left. If not, a request is using it: call this again. Raises
    StoreUnavailable.
    """
    sessions = Sessions(backends.store)
    try:
        kept = await sessions.read(upload_id)
    except UploadNotFound:
        return True
    except SessionUnreadable:
        await clear_unreadable(backends.store, backends.ledger, sessions, upload_id)
        return True
    phase = kept.session.phase
    try:
        if phase is Phase.COMPLETE:
            await settle(backends, sessions, kept)
        else:
            ending = Phase.CANCELLED if phase is Phase.OPEN else phase
            await give_up(backends, sessions, kept, ending)
    except SessionTaken:
        return False
    except (SessionEnded, UploadSuperseded):
        pass  # it was abandoned
    return True
