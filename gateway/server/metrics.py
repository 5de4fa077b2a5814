"""`GET /metrics`, and the values that must be measured from time to time for it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry

from gateway.backends import Backends
from gateway.errors import ConfigurationError
from gateway.limits.budget import Budget
from gateway.metrics import catalogue
from gateway.metrics.exposition import expose
from gateway.metrics.shared import Shared
from gateway.queue import QUEUES
from gateway.records import backlog_snapshot

_TICK: Final = 0.5
_TICKS_A_WRITE: Final = 2
_TICKS_A_LOOK: Final = 10

REGISTRY = web.AppKey("registry", CollectorRegistry)
SHARED = web.AppKey("shared", Shared)


@asynccontextmanager
async def shared_metrics(directory: Path | None) -> AsyncIterator[Shared]:
    """The metrics of all processes of this host, as long as this one serves.

    Raises ConfigurationError if the directory cannot be used.
    """
    try:
        shared = Shared(directory)
    except OSError as error:
        raise ConfigurationError(f"GATEWAY_METRICS_DIR: {error}") from None
    with shared:
        catalogue.PROCESSES.set(to=1)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_write(shared))
            yield shared
            task.cancel()


async def _write(shared: Shared) -> None:
    """Measure how late the loop is, and write the counters down."""
    lag = catalogue.LOOP_LAG.of()
    while True:
        for _ in range(_TICKS_A_WRITE):
            due = time.monotonic() + _TICK
            await asyncio.sleep(_TICK)
            lag.observe(max(0.0, time.monotonic() - due))
        shared.write()


async def watch(backends: Backends, budget: Budget) -> None:
    """Publish the use of the budget, and now and then what all processes share; never returns."""
    catalogue.BUDGET.set(to=budget.total)
    while True:
        await _look(backends)
        for _ in range(_TICKS_A_LOOK):
            catalogue.BUDGET_USED.set(to=budget.used)
            await asyncio.sleep(_TICK)


async def _look(backends: Backends) -> None:
    found = await backlog_snapshot.look(backends.redis)
    catalogue.PENDING.set(to=found.pending if found is not None else None)
    catalogue.OPEN_SESSIONS.set(to=found.sessions if found is not None else None)
    catalogue.OUTBOX_OLDEST.set(to=found.outbox_oldest if found is not None else None)
    catalogue.OLDEST_PENDING.set(to=found.oldest if found is not None else None)
    orphans = found.orphans if found is not None else None
    catalogue.ORPHANS.set("yes", to=orphans.accepted if orphans is not None else None)
    catalogue.ORPHANS.set("unknown", to=orphans.unknown if orphans is not None else None)
    _tell_count(found.counted if found is not None else None)
    for queue in QUEUES:
        depth = found.queued.get(queue) if found is not None else None
        catalogue.QUEUE_DEPTH.set(queue, to=depth)
    catalogue.LAST_SWEEP.set(to=found.at if found is not None else None)
    catalogue.CIRCUIT_OPEN.set(to=await backends.breaker.is_open())


def _tell_count(counted: backlog_snapshot.Count | None) -> None:
    for kind in backlog_snapshot.KINDS:
        objects = counted.objects.get(kind, 0) if counted is not None else None
        size = counted.bytes.get(kind, 0) if counted is not None else None
        catalogue.BUCKET_OBJECTS.set(kind, to=objects)
        catalogue.BUCKET_BYTES.set(kind, to=size)
    catalogue.BUCKET_COUNT_BEGAN.set(to=counted.began if counted is not None else None)


async def answer_metrics(request: web.Request, registry: CollectorRegistry) -> web.Response:
    """The metrics in the format that the scraper asks for."""
    body, content_type = expose(registry, request.headers.get("Accept", ""))
    return web.Response(body=body, headers={"Content-Type": content_type})
