"""Wraps every step: its time limit, and what follows if it does not end in order.

Starts of steps are counted, so that an upload that kills its worker, or makes it fail in an
unexpected way, ends as a dead letter instead of coming back forever.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import msgspec
from redis.exceptions import RedisError

from gateway.choices import Delivery
from gateway.errors import PreconditionFailed, SnifferUnavailable, StoreUnavailable
from gateway.metrics.catalogue import DEAD_LETTERS, STEPS
from gateway.queue import STEP_LIMIT
from gateway.records.removals import Removals
from gateway.telemetry import bind_ids, clear_ids, get_logger
from gateway.tracing import joining
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step, is_end
from gateway.uploads.record import DEAD_LETTER, Fault, State
from workers.runtime import Work, WorkerServices
from workers.steps.ending import conclude, end
from workers.steps.schedule import later

log = get_logger(__name__)

MOST_TRIES: Final = 8
"""Unfinished steps of one upload after which it is abandoned."""

_AT_A_TIME: Final = 16
"""Steps of one message that are done together: more only wait for each other's connections."""

_REMEMBERED: Final = 86_400
_PAUSE: Final = 10.0
_LONGEST_PAUSE: Final = 60.0

# A no-op step must not reset the count of earlier failures.
_COUNT_DOWN: Final = """
for _, key in ipairs(KEYS) do
    if redis.call('DECR', key) <= 0 then redis.call('DEL', key) end
end
"""

StepWork = Callable[[str, WorkerServices], Awaitable[None]]


def one(step: Step, upload_id: str, work: StepWork) -> Work:
    """The step of one upload."""
    return several(step, [upload_id], work)


def several(step: Step, upload_ids: Sequence[str], work: StepWork) -> Work:
    """The same step of many uploads, some at a time; one that fails holds up no other."""

    async def guarded(services: WorkerServices) -> None:
        try:
            tries = await _begin(services, upload_ids)
        except asyncio.CancelledError:
            for upload_id in upload_ids:
                _give_back(step, upload_id, services)
            return
        if len(upload_ids) > 1 and max(tries.values(), default=0) > 1:
            # One of them may kill workers: run each by itself to find out which.
            await _end(services, upload_ids)
            for upload_id in upload_ids:
                services.backends.queue.send(_again(step), upload_id)
            return
        turns = asyncio.Semaphore(_AT_A_TIME)

        async def in_turn(upload_id: str) -> str | None:
            try:
                await turns.acquire()
            except asyncio.CancelledError:  # its turn never came
                _give_back(step, upload_id, services)
                return upload_id
            try:
                ended = await _guarded(step, upload_id, work, services, tries.get(upload_id, 1))
            finally:
                turns.release()
            return upload_id if ended else None

        over = await asyncio.gather(*map(in_turn, upload_ids))
        await _end(services, [upload_id for upload_id in over if upload_id is not None])

    return guarded


async def _guarded(
    step: Step, upload_id: str, work: StepWork, services: WorkerServices, tries: int
) -> bool:
    """Run the step; whether it ended in order, which includes that a server was unavailable."""
    clear_ids()
    bind_ids(upload_id=upload_id)
    try:
        # A threads pool ignores Celery's own time limits.
        async with asyncio.timeout(STEP_LIMIT):
            with joining(step.value):
                await _work_of(step, work, tries)(upload_id, services)
        STEPS.add(step, "done")
    except (StoreUnavailable, SnifferUnavailable, RedisError, ConnectionError) as error:
        STEPS.add(step, "postponed")
        log.warning("step.postponed", step=step, error=repr(error))
        pause = _PAUSE * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        await later(services, _again(step), upload_id, pause)
    except asyncio.CancelledError:
        _give_back(step, upload_id, services)
    except PreconditionFailed:
        STEPS.add(step, "taken")
        log.info("step.taken")  # another worker processes it, or it is cancelled
    except Exception:
        STEPS.add(step, "failed")
        log.exception("step.failed", step=step, tries=tries)
        pause = min(_LONGEST_PAUSE, 2.0**tries) * random.random()  # noqa: S311 - jitter
        await later(services, _again(step), upload_id, max(1.0, pause))
        return False
    return True


def _give_back(step: Step, upload_id: str, services: WorkerServices) -> None:
    """Requeue the step of a worker that stops, so that another worker completes it."""
    STEPS.add(step, "given-back")
    log.info("step.given_back")
    services.backends.queue.send(_again(step), upload_id)


def _again(step: Step) -> Step:
    """The step to send for one that did not finish: orders have no record to resume from."""
    return step if step is Step.REMOVE else Step.RESUME


def _work_of(step: Step, work: StepWork, tries: int) -> StepWork:
    if tries <= MOST_TRIES:
        return work
    return partial(_give_up_unreadable, work) if step is Step.REMOVE else _give_up


async def _give_up_unreadable(work: StepWork, order_id: str, services: WorkerServices) -> None:
    """An order opens no file: one that can be read is carried out, however often it failed."""
    if await Removals(services.backends.store).set_aside_unreadable(order_id):
        DEAD_LETTERS.add()
        log.error("removal.dead_letter", order_id=order_id, tries=MOST_TRIES)
        return
    await work(order_id, services)


async def _give_up(upload_id: str, services: WorkerServices) -> None:
    """The upload becomes a dead letter, which an operator can look at and retry."""
    ledger = services.backends.ledger
    DEAD_LETTERS.add()
    log.error("upload.dead_letter", tries=MOST_TRIES)
    try:
        entry = await ledger.open(upload_id)
    except msgspec.MsgspecError:
        await ledger.set_aside(upload_id)
        return
    if entry is None or is_end(entry.upload.state):
        return
    fault = Fault(DEAD_LETTER, f"abandoned after {MOST_TRIES} attempts that did not finish")
    if entry.upload.delivery is Delivery.EXTERNAL:
        await conclude(services.backends, entry, entry.upload, fault)
    else:
        await end(services.backends, entry, entry.upload, State.FAILED, fault)


async def _begin(services: WorkerServices, upload_ids: Sequence[str]) -> dict[str, int]:
    """How often a step of each was begun without an end, this time included.

    Without Redis attempts are not counted, and few tasks arrive.
    """
    try:
        async with services.backends.redis.pipeline(transaction=False) as pipeline:
            for upload_id in upload_ids:
                pipeline.incr(keys.tries(upload_id))
                pipeline.expire(keys.tries(upload_id), _REMEMBERED)
            counts = (await pipeline.execute())[::2]
    except (RedisError, OSError) as error:
        log.warning("step.not_counted", error=repr(error))
        return {}
    return dict(zip(upload_ids, counts, strict=True))


async def _end(services: WorkerServices, upload_ids: Sequence[str]) -> None:
    if not upload_ids:
        return
    try:
        await services.backends.redis.eval(
            _COUNT_DOWN, len(upload_ids), *map(keys.tries, upload_ids)
        )
    except (RedisError, OSError) as error:
        log.warning("step.not_counted", error=repr(error))
