"""Uploads that come in several requests: those that were left behind, and what they left.

An open session is left alone until it expires, and so are its parts and tails.
"""

from contextlib import aclosing
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.backends import Backends
from gateway.errors import SessionTaken, UploadNotFound
from gateway.records.bucket import OVERDUE
from gateway.resumable.finishing import give_up
from gateway.resumable.session import Phase
from gateway.resumable.sessions import Kept, Sessions
from gateway.store.objects import ObjectInfo
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from workers.sweep.lease import Lease

log = get_logger(__name__)

_SESSIONS: Final = 500
"""Sessions that one pass reads at most."""

_TAILS: Final = 1_000
"""Tails that one pass looks at, at most."""

_TAIL_GRACE: Final = 3_600.0
"""Seconds for which a tail without a session is kept: no stopped process needs it later."""


async def end_sessions(backends: Backends, lease: Lease) -> int:
    """Have what is complete finished, and give up what has expired; returns how many.

    Where there are more than a pass reads, the next one goes on behind the last of them. Raises
    LeaseLost, StoreUnavailable.
    """
    sessions = Sessions(backends.store)
    ended, read = 0, 0
    last: str | None = None
    async with aclosing(sessions.list(lease.memory.sessions)) as listing:
        async for info in listing:
            if read >= _SESSIONS:
                break
            last = keys.id_of(info.key)
            if info.age >= OVERDUE:
                read += 1
                ended += await _end(backends, sessions, info)
            await lease.renew()
        else:
            last = None
    lease.memory = replace(lease.memory, sessions=last)
    return ended


async def _end(backends: Backends, sessions: Sessions, info: ObjectInfo) -> int:
    upload_id = keys.id_of(info.key)
    try:
        kept = await sessions.read(upload_id)
    except UploadNotFound:
        return 0
    except msgspec.DecodeError as error:
        log.warning("session.unreadable", upload_id=upload_id, error=repr(error))
        return 0
    if kept.session.phase is Phase.COMPLETE:
        backends.queue.send(Step.RESUME, upload_id)
        return 1
    if kept.session.phase is Phase.OPEN and info.age <= backends.settings.resume_for:
        return 0
    return await _give_up(backends, sessions, kept)


async def _give_up(backends: Backends, sessions: Sessions, kept: Kept) -> int:
    phase = kept.session.phase
    try:
        await give_up(backends, sessions, kept, Phase.EXPIRED if phase is Phase.OPEN else phase)
    except SessionTaken:
        return 0
    return 1


async def forget_tails(backends: Backends, lease: Lease) -> int:
    """Remove the tails that no session names any more; returns how many.

    Raises LeaseLost, StoreUnavailable.
    """
    lost: list[str] = []
    known: dict[str, bool] = {}
    looked = 0
    last: str | None = None
    async with aclosing(backends.store.list(keys.TAILS, lease.memory.tails)) as tails:
        async for tail in tails:
            if looked >= _TAILS:
                break
            last, looked = tail.key, looked + 1
            if tail.age <= _TAIL_GRACE:
                continue
            upload_id = keys.owner_of_tail(tail.key)
            if upload_id not in known:
                known[upload_id] = await _has_session(backends, upload_id)
            if not known[upload_id]:
                lost.append(tail.key)
            await lease.renew()
        else:
            last = None
    await backends.store.delete_all(lost)
    lease.memory = replace(lease.memory, tails=last)
    return len(lost)


async def _has_session(backends: Backends, upload_id: str) -> bool:
    try:
        await Sessions(backends.store).read(upload_id)
    except UploadNotFound:
        return False
    return True


async def parts_of_session(backends: Backends, upload_id: str) -> str | None:
    """The multipart upload in which a session has its parts. Raises StoreUnavailable."""
    try:
        session = (await Sessions(backends.store).read(upload_id)).session
    except UploadNotFound:
        return None
    return session.parts.upload_id if session.parts is not None else None
