"""Removes what was begun and will never be needed: files without a record, unfinished parts.

Two walks over the ids, a bounded number of keys in each pass: one follows the newest uploads, the
other cycles through all of them. Each compares three listings, and requests nothing else unless
there is something to remove.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from msgspec.structs import replace
from redis.exceptions import RedisError

from gateway.backends import Backends
from gateway.errors import ObjectNotFound
from gateway.records.bucket import FENCED_FOR, ORPHANED_AFTER
from gateway.records.heartbeats import (
    BEAT_SECONDS,
    REMEMBERED_SECONDS,
    knows_all,
    present_in_bucket,
    was_present,
)
from gateway.records.orphans import unmark
from gateway.store.objects import UnfinishedMultipart
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.ids import first_id_at
from gateway.uploads.record import State
from workers.sweep.census import Census
from workers.sweep.lease import Lease
from workers.sweep.orphans import Orphans
from workers.sweep.sessions import ids_of_sessions
from workers.sweep.traces import Traces, all_traces

log = get_logger(__name__)

SILENT: Final = float(REMEMBERED_SECONDS)
"""Seconds without a new part, after which to check whether a process still receives the upload.

Waiting longer costs space in the store; waiting less may cost an honest client its upload.
"""

ABANDONED: Final = 1800.0
"""The same if Redis knows of no process: no client takes longer than that."""

_WALK: Final = 5_000
_FRESH: Final = 10_000
_FRESH_SECONDS: Final = 1200.0
_CLAIMS: Final = 5_000
_DEAD: Final = 5_000
_CLAIM_GRACE: Final = 3600.0
_APART: Final = 10.0
"""Seconds by which the ages in the pages of two listings may differ."""


def is_orphan(traces: Traces) -> bool:
    """Whether there is a complete file that has no record and will not get one by itself. Pure.

    Its record was lost, or was never written and the upload not acknowledged.
    """
    file = traces.incoming
    return file is not None and not traces.has_record and file.age > ORPHANED_AFTER


def is_marked_in_vain(traces: Traces) -> bool:
    """Whether a file that was marked as an orphan has a record again, or is gone. Pure."""
    return traces.mark is not None and (traces.has_record or traces.incoming is None)


def is_spare(traces: Traces) -> bool:
    """Whether only the copy of a record is left, without its file. Pure."""
    if traces.incoming is not None or traces.pending is not None:
        return False
    return traces.spare is not None and traces.spare.age > ABANDONED


def is_past(traces: Traces, retention: float) -> bool:
    """Whether a record has been kept for long enough; that of a hosted file stays with it. Pure.

    It may be a fence's, which has to outlast the processes that it blocks.
    """
    if traces.incoming is not None or traces.pending is not None:
        return False
    return traces.record is not None and traces.record.age > max(retention, FENCED_FOR)


def is_late(traces: Traces) -> bool:
    """Whether a file came after its upload's end: past a fence, from a stopped process. Pure."""
    if traces.incoming is None or traces.pending is not None or traces.record is None:
        return False
    return ORPHANED_AFTER < traces.incoming.age < traces.record.age - _APART


async def clear(backends: Backends, lease: Lease) -> tuple[int, int]:
    """Remove files that are not needed any more, and expired records.

    Returns how many of either. Raises LeaseLost, StoreUnavailable.
    """
    orphans = Orphans(backends)
    census = Census(lease.memory)
    removed, forgotten = 0, 0
    walks = ((lease.memory.walk, _WALK, None), (_fresh(lease), _FRESH, _settled()))
    ends: list[str | None] = []
    for after, most, until in walks:
        last: str | None = None
        examined = 0
        async with aclosing(all_traces(backends.store, after)) as listing:
            async for traces in listing:
                if examined >= most or (until is not None and traces.upload_id > until):
                    break
                last, examined = traces.upload_id, examined + 1
                if until is None:
                    census.add(traces)
                if is_orphan(traces):
                    await orphans.found(traces.upload_id, traces.mark)
                removed += await _remove_late(backends, traces) if is_late(traces) else 0
                forgotten += await _forget(backends, traces)
                await lease.renew()
            else:
                last = None if until is None else last
        ends.append(last)
    memory = replace(lease.memory, walk=ends[0], fresh=ends[1] or _fresh(lease))
    lease.memory = census.told(memory, whole=ends[0] is None)
    orphans.report()
    await _forget_presences(backends)
    forgotten += await _forget_claims(backends, lease) + await _forget_dead(backends)
    return removed + orphans.removed, forgotten


def _fresh(lease: Lease) -> str:
    """Where the walk over the newest uploads continues; if it is far behind, where it restarts."""
    earliest = first_id_at(time.time() - _FRESH_SECONDS)
    return max(earliest, lease.memory.fresh or "")


def _settled() -> str:
    """The id before which files no longer wait for a record, except for the slowest uploads."""
    return first_id_at(time.time() - ORPHANED_AFTER)


async def _remove_late(backends: Backends, traces: Traces) -> int:
    ended = await backends.ledger.ended(traces.upload_id)
    if ended is None or ended.state not in {State.ABORTED, State.REJECTED}:
        return 0
    await backends.ledger.forget_file(traces.upload_id)
    log.info("sweep.removed", upload_id=traces.upload_id)
    return 1


async def _forget(backends: Backends, traces: Traces) -> int:
    """Remove the upload's useless objects; returns how many of them were records."""
    if is_marked_in_vain(traces):
        await unmark(backends.store, traces.upload_id)
    if is_spare(traces):
        await backends.store.delete(keys.spare(traces.upload_id))
    if not is_past(traces, backends.settings.record_retention):
        return 0
    await backends.ledger.forget_record(traces.upload_id)
    return 1


async def _forget_presences(backends: Backends) -> None:
    """Remove the announcements of processes that died before they could withdraw them."""
    async for told in backends.store.list(keys.PRESENCES):
        if told.age > ABANDONED:
            await backends.store.delete(told.key)


async def _forget_claims(backends: Backends, lease: Lease) -> int:
    """Claims expire long before they are removed: no request can be taking one over."""
    forgotten, examined = 0, 0
    oldest = backends.settings.idempotency_retention + _CLAIM_GRACE
    last: str | None = None
    async with aclosing(backends.store.list(keys.CLAIMS, lease.memory.claims)) as claims:
        async for claim in claims:
            if examined >= _CLAIMS:
                break
            last, examined = claim.key, examined + 1
            if claim.age > oldest:
                await backends.store.delete(claim.key)
                forgotten += 1
            await lease.renew()
        else:
            last = None
    lease.memory = replace(lease.memory, claims=last)
    return forgotten


async def _forget_dead(backends: Backends) -> int:
    """Remove unreadable records; they are kept for inspection as long as orphaned files."""
    forgotten, examined = 0, 0
    async with aclosing(backends.store.list(keys.DEAD)) as dead:
        async for each in dead:
            if examined >= _DEAD:
                break
            examined += 1
            if each.age > backends.settings.orphan_retention:
                await backends.store.delete(each.key)
                forgotten += 1
    return forgotten


async def abort_abandoned(backends: Backends) -> int:
    """Abort abandoned multipart uploads; returns how many. Raises StoreUnavailable."""
    silent = [upload async for upload in _silent(backends)]
    gone = await _without_a_process(backends, silent)
    if gone:
        told = await present_in_bucket(backends.store, within=REMEMBERED_SECONDS)
        gone = [upload for upload in gone if keys.id_of(upload.key) not in told]
    for upload in gone:
        await backends.store.abort_multipart(upload.key, upload.upload_id)
    return len(gone)


async def _silent(backends: Backends) -> AsyncIterator[UnfinishedMultipart]:
    """Multipart uploads without a session or a recent part, each with the age of the last one."""
    with_session: set[str] | None = None
    async for upload in backends.store.list_multipart_uploads(keys.INCOMING):
        if with_session is None:
            with_session = await ids_of_sessions(backends)
        if keys.id_of(upload.key) in with_session:
            continue  # its client may come back
        try:
            idle = await backends.store.idle(upload)
        except ObjectNotFound:
            continue
        if idle >= SILENT:
            yield UnfinishedMultipart(upload.key, upload.upload_id, idle)


async def _without_a_process(
    backends: Backends, uploads: Sequence[UnfinishedMultipart]
) -> list[UnfinishedMultipart]:
    """Those that no process marks in Redis, as far as Redis knows."""
    can_tell = True
    gone = list(uploads)
    try:
        gone = await _absent(backends, uploads)
        if gone and not await knows_all(backends.redis):
            # A wiped Redis knows no process until the next heartbeat of each.
            await asyncio.sleep(BEAT_SECONDS + 1)
            gone = await _absent(backends, gone)
            can_tell = await knows_all(backends.redis)
    except (RedisError, OSError) as error:
        log.warning("sweep.redis_unavailable", error=repr(error))
        can_tell = False
    return gone if can_tell else [upload for upload in gone if upload.age >= ABANDONED]


async def _absent(
    backends: Backends, uploads: Sequence[UnfinishedMultipart]
) -> list[UnfinishedMultipart]:
    return [
        upload
        for upload in uploads
        if not await was_present(backends.redis, keys.id_of(upload.key))
    ]
