"""What was left behind is taken up again: by the bucket's listing, which is the truth.

A second sweeper at the same time is harmless, since every step may run twice; the lock only
spares the work.
"""

from datetime import UTC, datetime, timedelta

from redis.exceptions import LockError, RedisError

from gateway.errors import ObjectNotFound
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.backends import Backends
from gateway.uploads.lifecycle import Step, next_step
from workers.runtime import Services

log = get_logger(__name__)

OVERDUE = timedelta(seconds=60)
"""A record that nobody has written for this long is sent again; a step takes seconds."""

ABANDONED = timedelta(minutes=30)
"""An S3 multipart upload whose last part came this long ago has nobody working on it."""

_LOCK = "uploads:sweeper"
_LOCK_SECONDS = 300


async def sweep(_: str, services: Services) -> None:
    """One pass, unless another sweeper is at it."""
    backends = services.backends
    lock = backends.redis.lock(_LOCK, timeout=_LOCK_SECONDS, blocking=False)
    try:
        if not await lock.acquire():
            return
    except RedisError as error:
        # Without Redis there is no lock to have, and the pass is needed all the more.
        log.warning("sweep.unlocked", error=repr(error))
        await sweep_once(backends, datetime.now(UTC))
        return
    try:
        await sweep_once(backends, datetime.now(UTC))
    finally:
        try:
            await lock.release()
        except (LockError, RedisError) as error:
            log.warning("sweep.lock_lost", error=repr(error))


async def sweep_once(backends: Backends, now: datetime) -> None:
    """Resend what is overdue at `now`, abort what is abandoned, forget what is past its time."""
    sent = await _resend_pending(backends, now - OVERDUE)
    sent += await _resend_relayed(backends, now - OVERDUE)
    aborted = await _abort_abandoned(backends, now - ABANDONED)
    retention = timedelta(seconds=backends.settings.record_retention)
    forgotten = await backends.ledger.forget_records((now - retention).timestamp())
    if sent or aborted or forgotten:
        log.info("sweep.done", sent=sent, aborted=aborted, forgotten=forgotten)


async def _resend_pending(backends: Backends, before: datetime) -> int:
    sent = 0
    async for pending in backends.ledger.list_pending():
        if pending.modified >= before:
            continue
        if await backends.ledger.has_ended(pending.upload_id):
            await backends.ledger.forget_pending(pending.upload_id)
            continue
        entry = await backends.ledger.open(pending.upload_id)
        if entry is not None and (step := next_step(entry.upload)) is not None:
            backends.queue.send(step, pending.upload_id)
            sent += 1
    return sent


async def _resend_relayed(backends: Backends, before: datetime) -> int:
    try:
        overdue = await backends.ledger.list_relayed(before)
    except RedisError as error:
        log.warning("sweep.redis_unavailable", error=repr(error))
        return 0
    for upload_id in overdue:
        backends.queue.send(Step.AUDIT, upload_id)
    return len(overdue)


async def _abort_abandoned(backends: Backends, before: datetime) -> int:
    aborted = 0
    async for upload in backends.store.list_multipart_uploads(keys.INCOMING):
        try:
            active = await backends.store.last_activity(upload) >= before
        except ObjectNotFound:
            continue
        if not active:
            await backends.store.abort_multipart(upload.key, upload.upload_id)
            aborted += 1
    return aborted
