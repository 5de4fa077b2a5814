"""Places orders to remove hosted files that have expired by their route's rule."""

import asyncio
from typing import Final

from gateway.backends import Backends
from gateway.records.expiry import Expiries, Mark
from gateway.records.removals import Order, Removals
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Cause
from workers.sweep.lease import Lease

MOST: Final = 2_000
"""Files that one pass removes at most, so that it ends."""

_AT_A_TIME: Final = 16


async def expire(backends: Backends, lease: Lease) -> int:
    """Order the removal of what is due, the oldest first; returns how many files that are.

    The order is durable before the mark is gone: a sweeper that is interrupted places it again,
    which does no harm. Raises LeaseLost, StoreUnavailable.
    """
    marks = await _due(Expiries(backends.store), lease.store_time())
    for start in range(0, len(marks), _AT_A_TIME):
        some = marks[start : start + _AT_A_TIME]
        await asyncio.gather(*(_order(backends, mark) for mark in some))
        await lease.renew()
    return len(marks)


async def _due(expiries: Expiries, now: float) -> list[Mark]:
    marks: list[Mark] = []
    async for mark in expiries.due(now):
        marks.append(mark)
        if len(marks) == MOST:
            break
    return marks


async def _order(backends: Backends, mark: Mark) -> None:
    order = Order(upload_id=mark.upload_id, cause=Cause.RETENTION)
    order_id = await Removals(backends.store).place(order)
    await Expiries(backends.store).forget(mark)
    backends.queue.send(Step.REMOVE, order_id)
