"""Resumes or removes what was left behind, found in the bucket's listing, which is authoritative.

A pass costs as much as there is to do, plus a fixed number of listings, however many uploads have
finished. A second sweeper at the same time is harmless, since every step may run twice; the lease,
an object in the bucket, only avoids the work, and remembers where the last pass stopped.
"""

import time

from gateway.backends import Backends
from gateway.errors import StoreUnavailable
from gateway.metrics.catalogue import SWEEP_SECONDS, SWEEPS, SWEPT
from gateway.telemetry import get_logger
from workers.runtime import WorkerServices
from workers.sweep.backlog import resend
from workers.sweep.expired import expire
from workers.sweep.lease import Lease, LeaseLost, take
from workers.sweep.leftovers import abort_abandoned, clear
from workers.sweep.sessions import end_sessions, forget_tails
from workers.sweep.survey import survey

__all__ = ["sweep", "sweep_once"]

log = get_logger(__name__)


async def sweep(services: WorkerServices) -> None:
    """Run one pass, unless another sweeper is running."""
    backends = services.backends
    try:
        lease = await take(backends.store, backends.settings.sweep_interval / 2)
        if lease is not None:
            await sweep_once(backends, lease)
            await lease.release()
    except LeaseLost:
        SWEEPS.add("lost")
        log.warning("sweep.lease_lost")
    except StoreUnavailable as error:
        SWEEPS.add("store-unavailable")
        log.warning("sweep.store_unavailable", error=repr(error))


async def sweep_once(backends: Backends, lease: Lease) -> None:
    """Send again what is overdue, and remove what will never be needed.

    Raises LeaseLost if another sweeper has taken over, StoreUnavailable.
    """
    started = time.monotonic()
    sent = await resend(backends, lease)
    ended, unreadable = await end_sessions(backends, lease)
    due = await expire(backends, lease)
    aborted = await abort_abandoned(backends)
    removed, forgotten = await clear(backends, lease)
    tails = await forget_tails(backends, lease)
    await survey(backends, lease.memory.counted)
    found = {
        "overdue": sent,
        "sessions": ended,
        "unreadable": unreadable,
        "tails": tails,
        "due": due,
        "parts": aborted,
        "orphans": removed,
        "expired": forgotten,
    }
    for kind, number in found.items():
        SWEPT.add(kind, amount=number)
    SWEEPS.add("done")
    SWEEP_SECONDS.of().observe(time.monotonic() - started)
    if any(found.values()):
        log.info(
            "sweep.done",
            sent=sent,
            ended=ended,
            unreadable=unreadable,
            tails=tails,
            due=due,
            aborted=aborted,
            removed=removed,
            forgotten=forgotten,
            seconds=round(time.monotonic() - started, 3),
        )
