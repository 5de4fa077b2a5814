"""Brings a session to its end that its gateway has left there."""

from gateway.backends import Backends
from gateway.errors import SessionEnded, SessionTaken, UploadNotFound, UploadSuperseded
from gateway.resumable.finishing import give_up, settle
from gateway.resumable.session import Phase
from gateway.resumable.sessions import Sessions
from gateway.telemetry import get_logger

log = get_logger(__name__)


async def end_session(backends: Backends, upload_id: str) -> None:
    """Make the file of a complete session, or remove one that was given up; leave an open one.

    Raises StoreUnavailable.
    """
    sessions = Sessions(backends.store)
    try:
        kept = await sessions.read(upload_id)
    except UploadNotFound:
        return
    try:
        if kept.session.phase is Phase.COMPLETE:
            await settle(backends, sessions, kept)
        elif kept.session.phase is not Phase.OPEN:
            await give_up(backends, sessions, kept, kept.session.phase)
    except (SessionEnded, SessionTaken, UploadSuperseded) as error:
        log.warning("session.not_finished", upload_id=upload_id, error=repr(error))
