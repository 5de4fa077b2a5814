"""Wraps every step: limits its time, and handles those that do not end properly.

The beginnings of steps are counted. So an upload that kills its worker, or makes it fail in an
unexpected way, ends as a dead letter instead of coming back for ever. After a process has died, all
uploads that it had begun are suspects. From then on only one suspect runs at a time, and it is
counted only when it begins: so an innocent upload is hardly counted again, whichever others ran
next to it.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Final, cast

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
"""After this many unfinished steps an upload is abandoned."""

_ALONE_SECONDS: Final = 20.0
"""How long a suspect blocks other suspects: an upload that kills its process does so earlier."""

_NEVER: Final = 1_000_000
_REMEMBERED: Final = 86_400
_PAUSE: Final = 10.0
_LONGEST_PAUSE: Final = 60.0

# Returns how many steps of each upload were begun and not ended before. Counts this beginning too,
# unless the upload is a suspect by that number.
_COUNT: Final = """
local before = {}
for each, key in ipairs(KEYS) do
    before[each] = tonumber(redis.call('GET', key) or 0)
    if before[each] < tonumber(ARGV[1]) then
        redis.call('SET', key, before[each] + 1, 'EX', ARGV[2])
    end
end
return before
"""

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
    """The same step of many uploads, some at a time; a failure of one does not block the others.

    A suspect (an upload with an earlier step that did not end, and may have killed its process) is
    sent again, in a message of its own.
    """
    ids = list(dict.fromkeys(upload_ids))
    suspect_from = _suspect_from(step, ids)

    async def guarded(services: WorkerServices) -> None:
        try:
            before = await _count(services, ids, suspect_from)
        except asyncio.CancelledError:
            for upload_id in ids:
                _give_back(step, upload_id, services)
            return
        fresh = {each: count + 1 for each, count in before.items() if count < suspect_from}
        suspects = [each for each, count in before.items() if count >= suspect_from]
        if len(ids) == 1 and suspects:
            await _alone(step, ids[0], work, services)
            return
        for upload_id in suspects:
            services.backends.queue.send_alone(_again(step), upload_id)
        await _together(step, fresh, work, services)

    return guarded


def _suspect_from(step: Step, upload_ids: Sequence[str]) -> int:
    """How many unfinished beginnings make an upload of this message a suspect.

    A step that failed once may simply be repeated. But a resumed step may have been interrupted by
    the death of a process, and a poisonous upload among many would make suspects of all of them.
    """
    return 1 if step is Step.RESUME or len(upload_ids) > 1 else 2


async def _together(
    step: Step, tries: Mapping[str, int], work: StepWork, services: WorkerServices
) -> None:
    """Run the step of each upload; `tries` says how often it was begun, including now."""
    places = services.places.get(step) or nullcontext()

    async def in_turn(upload_id: str) -> str | None:
        try:
            async with places:
                ended = await _guarded(step, upload_id, work, services, tries[upload_id])
        except asyncio.CancelledError:  # it was still waiting for its turn
            _give_back(step, upload_id, services)
            return upload_id
        return upload_id if ended else None

    over = await asyncio.gather(*map(in_turn, tries))
    await _end(services, [upload_id for upload_id in over if upload_id is not None])


async def _alone(step: Step, upload_id: str, work: StepWork, services: WorkerServices) -> None:
    """Run and count the step of a suspect, while no other suspect runs in this process."""
    try:
        async with _turn(services.suspects):
            before = await _count(services, [upload_id], _NEVER)
            ended = await _guarded(step, upload_id, work, services, before[upload_id] + 1)
    except asyncio.CancelledError:  # it was still waiting for its turn
        _give_back(step, upload_id, services)
        return
    if ended:
        await _end(services, [upload_id])


@asynccontextmanager
async def _turn(suspects: asyncio.Semaphore) -> AsyncIterator[None]:
    """The turn of one suspect; the next one gets its turn even if this one takes too long."""
    await suspects.acquire()
    passed = False

    def pass_on() -> None:
        nonlocal passed
        if not passed:
            passed = True
            suspects.release()

    timer = asyncio.get_running_loop().call_later(_ALONE_SECONDS, pass_on)
    try:
        yield
    finally:
        timer.cancel()
        pass_on()


async def _guarded(
    step: Step, upload_id: str, work: StepWork, services: WorkerServices, tries: int
) -> bool:
    """Run the step; returns whether it ended properly, which includes an unavailable server."""
    clear_ids()
    bind_ids(upload_id=upload_id)
    try:
        # Celery's own time limits have no effect in a pool of threads.
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
        log.info("step.taken")  # another worker processes the upload, or it is cancelled
    except Exception:
        STEPS.add(step, "failed")
        log.exception("step.failed", step=step, tries=tries)
        pause = min(_LONGEST_PAUSE, 2.0**tries) * random.random()  # noqa: S311 - jitter
        await later(services, _again(step), upload_id, max(1.0, pause))
        return False
    return True


def _give_back(step: Step, upload_id: str, services: WorkerServices) -> None:
    """Send the step of a worker that stops again, so that another worker completes it."""
    STEPS.add(step, "given-back")
    log.info("step.given_back")
    services.backends.queue.send(_again(step), upload_id)


def _again(step: Step) -> Step:
    """The step to send for one that did not finish: others than uploads have no record."""
    return step if step in _UNREADABLE else Step.RESUME


def _work_of(step: Step, work: StepWork, tries: int) -> StepWork:
    if tries <= MOST_TRIES:
        return work
    give_up = _UNREADABLE.get(step)
    return partial(give_up, work) if give_up is not None else _give_up


async def _give_up_order(work: StepWork, order_id: str, services: WorkerServices) -> None:
    """Set an order aside if it cannot be read. Others are harmless, and are carried out."""
    if await Removals(services.backends.store).set_aside_unreadable(order_id):
        DEAD_LETTERS.add()
        log.error("removal.dead_letter", order_id=order_id, tries=MOST_TRIES)
        return
    await work(order_id, services)


async def _give_up_message(work: StepWork, name: str, services: WorkerServices) -> None:
    """Set a message aside if it cannot be read. Others are harmless, and are sent."""
    if await services.backends.outbox.set_aside_unreadable(name):
        DEAD_LETTERS.add()
        log.error("webhook.unreadable", message=name, tries=MOST_TRIES)
        return
    await work(name, services)


_UNREADABLE: Final = {Step.REMOVE: _give_up_order, Step.NOTIFY: _give_up_message}
"""Steps of what is no upload, and what is done if it cannot be read."""


async def _give_up(upload_id: str, services: WorkerServices) -> None:
    """Make the upload a dead letter, which an operator can look at and retry."""
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


async def _count(
    services: WorkerServices, upload_ids: Sequence[str], suspect_from: int
) -> dict[str, int]:
    """How many steps of each upload were begun and not ended before.

    This beginning counts too, unless the upload is a suspect: then `_alone` counts it. Without
    Redis, beginnings are not counted; then few tasks arrive anyway.
    """
    names = map(keys.tries, upload_ids)
    try:
        before = await services.backends.redis.eval(
            _COUNT, len(upload_ids), *names, suspect_from, _REMEMBERED
        )
    except (RedisError, OSError) as error:
        log.warning("step.not_counted", error=repr(error))
        return dict.fromkeys(upload_ids, 0)
    return dict(zip(upload_ids, cast(list[int], before), strict=True))


async def _end(services: WorkerServices, upload_ids: Sequence[str]) -> None:
    if not upload_ids:
        return
    try:
        await services.backends.redis.eval(
            _COUNT_DOWN, len(upload_ids), *map(keys.tries, upload_ids)
        )
    except (RedisError, OSError) as error:
        log.warning("step.not_counted", error=repr(error))
