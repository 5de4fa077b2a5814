"""When a step is to be tried again: one task for an upload at a time, however many ask for it."""

from math import ceil

from redis.exceptions import RedisError

from gateway.metrics.catalogue import RETRIES
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from workers.runtime import Services

log = get_logger(__name__)

_EARLY = 0.5


async def later(services: Services, step: Step, upload_id: str, delay: float) -> None:
    """Have the step run after `delay` seconds, unless it is to run within that time already.

    Without the mark in Redis it is sent all the same: steps may run twice, but their tasks must
    not become more and more.
    """
    RETRIES.add(step)
    # It fades a little before the task is due, which must not find its own mark.
    milliseconds = max(1, ceil((delay - _EARLY) * 1000))
    try:
        alone = await services.backends.redis.set(
            keys.scheduled(upload_id), b"", nx=True, px=milliseconds
        )
    except (RedisError, OSError) as error:
        log.warning("schedule.redis_unavailable", error=repr(error))
        alone = True
    if alone:
        services.backends.queue.send(step, upload_id, delay)
