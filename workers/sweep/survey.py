"""How much work waits, and for how long: for the metrics."""

import asyncio
import time
from contextlib import aclosing
from typing import Final

import msgspec
from redis.exceptions import RedisError

from gateway.backends import Backends
from gateway.errors import QueueUnavailable
from gateway.records import backlog_snapshot
from gateway.records.orphans import was_accepted
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.ids import created_at, parse_id

log = get_logger(__name__)

_READ: Final = 8
"""Messages that are read: how long they have waited is not in the listing."""

_MOST: Final = 10_000
"""The most pending uploads, orphans or sessions that are counted; a larger count is no use."""


async def survey(backends: Backends, counted: backlog_snapshot.Count | None) -> None:
    """Look at the bucket's and Redis' pending uploads, at orphans and at the queue.

    `counted` is the last count of the bucket, which is reported with the rest.
    Raises StoreUnavailable.
    """
    relayed, longest = await _relayed(backends)
    pending = relayed
    began: float | None = None
    async for each in backends.ledger.list_pending():
        pending += 1
        if began is None and parse_id(each.upload_id) is not None:
            began = created_at(each.upload_id)
        if pending >= _MOST:
            break
    now = time.time()
    hosted = now - began if began is not None else 0.0
    oldest = max(0.0, hosted, longest)
    queued = await _queued(backends)
    found = backlog_snapshot.BacklogSnapshot(
        at=now,
        pending=pending,
        oldest=oldest,
        queued=queued,
        orphans=await _orphans(backends),
        sessions=await _sessions(backends),
        outbox_oldest=await _outbox_oldest(backends),
        counted=counted,
    )
    await backlog_snapshot.keep(backends.redis, found)


async def _orphans(backends: Backends) -> backlog_snapshot.Orphans:
    accepted = unknown = 0
    async for marked in backends.store.list(keys.ORPHANS):
        if was_accepted(marked):
            accepted += 1
        else:
            unknown += 1
        if accepted + unknown >= _MOST:
            break
    return backlog_snapshot.Orphans(accepted, unknown)


async def _sessions(backends: Backends) -> int:
    number = 0
    async for _ in backends.store.list(keys.SESSIONS):
        number += 1
        if number >= _MOST:
            break
    return number


async def _outbox_oldest(backends: Backends) -> float:
    """Seconds for which the oldest message has waited; 0 if none waits.

    A listing says when each was last tried. How long they have waited is read of the first few,
    which are those of the oldest uploads.
    """
    oldest, number = 0.0, 0
    async with aclosing(backends.outbox.all()) as messages:
        async for name, age in messages:
            oldest = max(oldest, age)
            if number < _READ:
                oldest = max(oldest, await _waited(backends, name))
            number += 1
            if number >= _MOST:
                break
    return oldest


async def _waited(backends: Backends, name: str) -> float:
    try:
        waiting = await backends.outbox.open(name)
    except msgspec.DecodeError:
        return 0.0
    return waiting.progress.waited + waiting.age if waiting is not None else 0.0


async def _relayed(backends: Backends) -> tuple[int, float]:
    """How many relayed uploads wait for their audit in Redis, and the oldest one's age."""
    try:
        return await backends.ledger.relayed_backlog()
    except (RedisError, OSError) as error:
        log.warning("sweep.redis_unavailable", error=repr(error))
        return 0, 0.0


async def _queued(backends: Backends) -> dict[str, int]:
    try:
        return dict(await asyncio.to_thread(backends.queue.depths))
    except QueueUnavailable:
        return {}
