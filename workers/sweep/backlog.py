"""Uploads for which nobody did anything for a while get another task."""

import asyncio
from typing import Final

from msgspec.structs import replace
from redis.exceptions import RedisError

from gateway.errors import QueueUnavailable
from gateway.telemetry import get_logger
from gateway.uploads.backends import Backends
from gateway.uploads.lifecycle import Step
from gateway.uploads.records import OVERDUE
from gateway.uploads.removals import Removals
from workers.sweep.lease import Lease

log = get_logger(__name__)

MOST_WAITING: Final = 5_000
"""Tasks beyond which none are added: where the workers do not keep up, nothing was lost."""


async def resend(backends: Backends, lease: Lease) -> int:
    """Send tasks for overdue uploads, then removals, the oldest first; returns how many.

    Where there are more than may wait, the next pass goes on behind the last of them. Raises
    LeaseLost, StoreUnavailable.
    """
    room = await _room(backends)
    sent = await _resend_relayed(backends, room)
    sent += await _resend_pending(backends, lease, room - sent)
    return sent + await _resend_removals(backends, lease, room - sent)


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
    sent = 0
    last: str | None = None
    async for pending in backends.ledger.list_pending(lease.memory.pending):
        if sent >= room:
            break
        last = pending.upload_id
        if pending.age >= OVERDUE:
            backends.queue.send(Step.RESUME, pending.upload_id)
            sent += 1
        await lease.renew()
    else:
        last = None
    if last is not None or sent < room:
        lease.memory = replace(lease.memory, pending=last)
    return sent


async def _resend_removals(backends: Backends, lease: Lease, room: int) -> int:
    """They come last, and no order that does not get on keeps the ones behind it waiting."""
    sent = 0
    last: str | None = None
    async for order in Removals(backends.store).all(lease.memory.removals):
        if sent >= room:
            break
        last = order.id
        if order.age >= OVERDUE:
            backends.queue.send(Step.REMOVE, order.id)
            sent += 1
        await lease.renew()
    else:
        last = None
    if last is not None or sent < room:
        lease.memory = replace(lease.memory, removals=last)
    return sent
