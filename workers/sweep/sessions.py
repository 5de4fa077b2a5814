"""Uploads that come in several requests: those that were left behind, and what they left.

An open session is left alone until it expires, and one that cannot be read for good; so are their
parts and tails.
"""

from contextlib import aclosing
from typing import Final

from msgspec.structs import replace
from redis.exceptions import RedisError

from gateway.backends import Backends
from gateway.errors import SessionTaken, SessionUnreadable, UploadNotFound
from gateway.records.bucket import OVERDUE
from gateway.resumable.finishing import give_up
from gateway.resumable.open_sessions import OpenSessions
from gateway.resumable.session import Phase
from gateway.resumable.sessions import Kept, Sessions
from gateway.settings import Settings
from gateway.store.objects import ObjectInfo
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from workers.sweep.lease import Lease

log = get_logger(__name__)

_ANYWAY: Final = 50
"""Sessions that one pass reads although nothing suggests that they are at their end.

After a time without a sweeper, the complete ones are found among them.
"""

_FRESH_PASSES: Final = 10
"""Passes in which a session is read after each of its writes: the last one may be its end."""

_TAILS: Final = 1_000
"""Tails that one pass looks at, at most."""

_TAIL_GRACE: Final = 3_600.0
"""Seconds for which a tail without a session is kept: no stopped process needs it later."""


async def end_sessions(backends: Backends, lease: Lease) -> tuple[int, int]:
    """Have complete sessions finished, and end expired ones.

    Returns how many that were, and how many of the examined ones could not be read. Of the
    sessions that were not written lately, each pass reads some, and the next one goes on behind the
    last of them. Raises LeaseLost, StoreUnavailable.
    """
    sessions = Sessions(backends.store)
    ended, unreadable, anyway = 0, 0, 0
    last: str | None = None
    async with aclosing(sessions.list()) as listing:
        async for info in listing:
            upload_id = keys.id_of(info.key)
            if not _may_be_ended(info.age, backends.settings):
                if anyway >= _ANYWAY or upload_id <= (lease.memory.sessions or ""):
                    continue
                last, anyway = upload_id, anyway + 1
            if info.age >= OVERDUE:
                try:
                    ended += await _end(backends, sessions, info)
                except SessionUnreadable:
                    unreadable += 1
            await lease.renew()
    lease.memory = replace(lease.memory, sessions=last if anyway >= _ANYWAY else None)
    return ended, unreadable


def _may_be_ended(age: float, settings: Settings) -> bool:
    """Whether a session may be at its end, by the seconds since it was written. Pure."""
    fresh = OVERDUE <= age < OVERDUE + _FRESH_PASSES * settings.sweep_interval
    return fresh or age > settings.resume_for


async def ids_of_sessions(backends: Backends) -> set[str]:
    """The uploads that have a session. Raises StoreUnavailable."""
    sessions = Sessions(backends.store)
    return {keys.id_of(info.key) async for info in sessions.list()}


async def _end(backends: Backends, sessions: Sessions, info: ObjectInfo) -> int:
    """Raises SessionUnreadable, StoreUnavailable."""
    upload_id = keys.id_of(info.key)
    try:
        kept = await sessions.read(upload_id)
    except UploadNotFound:
        return 0
    if kept.session.phase is Phase.COMPLETE:
        backends.queue.send(Step.RESUME, upload_id)
        return 1
    if kept.session.phase is Phase.OPEN and info.age <= backends.settings.resume_for:
        await _note(backends, sessions, kept)
        return 0
    return await _give_up(backends, sessions, kept)


async def _note(backends: Backends, sessions: Sessions, kept: Kept) -> None:
    """Have Redis count an open session that it has forgotten, if there is a limit."""
    settings = backends.settings
    if not settings.subject_sessions:
        return
    counted = OpenSessions(backends.redis, sessions, settings.subject_sessions, settings.resume_for)
    try:
        await counted.note(kept.session.upload.subject, kept.session.id)
    except (RedisError, OSError) as error:
        log.warning("sweep.redis_unavailable", error=repr(error))


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
    sessions = Sessions(backends.store)
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
                known[upload_id] = await sessions.has(upload_id)
            if not known[upload_id]:
                lost.append(tail.key)
            await lease.renew()
        else:
            last = None
    await backends.store.delete_all(lost)
    lease.memory = replace(lease.memory, tails=last)
    return len(lost)
