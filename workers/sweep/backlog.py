"""Uploads without progress for a while get another task."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from msgspec.structs import replace
from redis.exceptions import RedisError

from gateway.backends import Backends
from gateway.errors import QueueUnavailable
from gateway.records.bucket import OVERDUE
from gateway.records.removals import Removals
from gateway.telemetry import get_logger
from gateway.uploads.lifecycle import Step
from workers.sweep.lease import Lease

log = get_logger(__name__)

MOST_WAITING: Final = 5_000
"""Queue length above which none are added: then workers are slow, and nothing was lost."""


async def resend(backends: Backends, lease: Lease) -> int:
    """Send tasks for overdue uploads, removals, then messages, the oldest first; returns how many.

    If there are more than may wait, the next pass continues after the last of them. Raises
    LeaseLost, StoreUnavailable.
    """
    room = await _room(backends)
    sent = await _resend_relayed(backends, room)
    sent += await _resend_pending(backends, lease, room - sent)
    sent += await _resend_removals(backends, lease, room - sent)
    return sent + await _resend_messages(backends, lease, room - sent)


async def _room(backends: Backends) -> int:
    try:
        return max(0, MOST_WAITING - await asyncio.to_thread(backends.queue.depth))
    except QueueUnavailable as error:
        log.warning("sweep.queue_unavailable", error=repr(error))
        return 0


async def _resend_relayed(backends: Backends, room: int) -> int:
    if room == 0:
        return 0
    try:
        overdue = await backends.ledger.list_relayed(OVERDUE, room)
    except (RedisError, OSError) as error:
        log.warning("sweep.redis_unavailable", error=repr(error))
        return 0
    for upload_id in overdue:
        backends.queue.send(Step.AUDIT, upload_id)
    return len(overdue)


async def _resend_pending(backends: Backends, lease: Lease, room: int) -> int:
    after = lease.memory.pending
    uploads = ((each.upload_id, each.age) async for each in backends.ledger.list_pending(after))
    sent, after = await _resend_overdue(backends, lease, _Walk(Step.RESUME, uploads, after), room)
    lease.memory = replace(lease.memory, pending=after)
    return sent


async def _resend_removals(backends: Backends, lease: Lease, room: int) -> int:
    """They come last, and no order that is stuck blocks later ones."""
    after = lease.memory.removals
    orders = ((each.id, each.age) async for each in Removals(backends.store).all(after))
    sent, after = await _resend_overdue(backends, lease, _Walk(Step.REMOVE, orders, after), room)
    lease.memory = replace(lease.memory, removals=after)
    return sent


async def _resend_messages(backends: Backends, lease: Lease, room: int) -> int:
    """They may wait for hours, so nothing else waits for them."""
    after = lease.memory.messages
    walk = _Walk(Step.NOTIFY, backends.outbox.all(after), after)
    sent, after = await _resend_overdue(backends, lease, walk, room)
    lease.memory = replace(lease.memory, messages=after)
    return sent


class _Walk(NamedTuple):
    """Ids and ages (seconds) of what `step` is for, after the id `after`."""

    step: Step
    entries: AsyncIterator[tuple[str, float]]
    after: str | None


async def _resend_overdue(
    backends: Backends, lease: Lease, walk: _Walk, room: int
) -> tuple[int, str | None]:
    """Send at most `room` tasks; returns how many, and the id after which the next pass starts."""
    sent = 0
    last: str | None = None
    async for id_, age in walk.entries:
        if sent >= room:
            break
        last = id_
        if age >= OVERDUE:
            backends.queue.send(walk.step, id_)
            sent += 1
        await lease.renew()
    else:
        last = None
    return sent, last if last is not None or sent < room else walk.after
