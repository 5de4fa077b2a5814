"""`notify`: sends a message about the end of an upload to the endpoints that want it.

The record of the end counts: what it says by then is sent. A message without its end waits, or is
dropped if no process will record that end any more. Two workers that send the same message at once
are allowed: receivers recognise it by its id.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from gateway import cancellation, crash
from gateway.errors import PreconditionFailed, StoreUnavailable
from gateway.metrics.catalogue import WEBHOOK_DELIVERIES, WEBHOOK_LAG
from gateway.records.outbox import DROPPED_AFTER, Waiting
from gateway.telemetry import get_logger
from gateway.uploads.attempts import CLOCK_STEP
from gateway.uploads.lifecycle import Step
from gateway.uploads.record import Upload
from gateway.webhooks.messages import Message, body_of, message_of, parse
from gateway.webhooks.progress import (
    Over,
    Standing,
    carried_over,
    changed,
    is_due,
    not_over,
    without,
)
from gateway.webhooks.schedule import pause_after
from workers.lanes import Busy, Lane, Stopped
from workers.runtime import WorkerServices
from workers.steps.schedule import later

log = get_logger(__name__)

_SPREAD = 5.0
"""Seconds over which messages that wait for an endpoint come back to it."""

_MOMENT = 1.0
"""Seconds for which a task waits for the answers of endpoints."""

_WRITES = 5
"""How often progress is written, if other tasks write it at the same time."""

_GONE = 410


async def notify(name: str, services: WorkerServices) -> None:
    """Send the message of that name to the endpoints at which it is due, if it is in the outbox."""
    message = parse(name)
    if message is None:
        return
    waiting = await services.backends.outbox.open(name)
    if waiting is None:
        return
    upload = await _ended(message, services)
    if upload is None:
        if waiting.age >= DROPPED_AFTER and await _will_not_end(message, services):
            await services.backends.outbox.drop(name, again=waiting.progress.again)
            log.info("webhook.dropped", message=message.id)
        return
    await _Round(services, waiting, upload).run()


async def _ended(message: Message, services: WorkerServices) -> Upload | None:
    """The upload, if it has the end that the message is about."""
    ended = await services.backends.ledger.ended(message.upload_id)
    return ended if ended is not None and message_of(ended) == message else None


async def _will_not_end(message: Message, services: WorkerServices) -> bool:
    """Whether no process will record that end any more.

    A pending record is removed after the end is recorded: if there is none, and the record looked
    at after that is another one, it will stay so. A process that was stopped before it recorded the
    end places the message again.
    """
    if await services.backends.ledger.open(message.upload_id) is not None:
        return False
    return await _ended(message, services) is None


class _Outcome(NamedTuple):
    """What follows for one endpoint; `standing` is None if nothing was sent.

    `again`: seconds after which the message may be sent there; None if it is over. `stopped`: the
    URL at which the endpoint was stopped, if that is why it is over.
    """

    standing: Standing | None
    again: float | None = None
    stopped: str | None = None


class _Round:
    """One task of a message: at most one attempt at each endpoint."""

    def __init__(self, services: WorkerServices, waiting: Waiting, upload: Upload) -> None:
        self._services = services
        self._waiting = waiting
        self._upload = upload
        self._message = message_of(upload)
        self._waited = waiting.progress.waited + waiting.age

    async def run(self) -> None:
        """Send it to the endpoints at which it is due, and record the results.

        Attempts that take longer than a moment are completed without the task: otherwise a slow
        endpoint would occupy all tasks that a worker has for messages, those to others too.
        """
        lanes = self._services.lanes
        attempts = {
            name: asyncio.create_task(self._attempt(name, standing))
            for name, standing in self._waiting.progress.endpoints.items()
            if is_due(standing, self._waiting.age)
            and name in lanes
            and not lanes[name].is_at(self._message.id)
        }
        try:
            if attempts:
                await asyncio.wait(attempts.values(), timeout=_MOMENT)
        except asyncio.CancelledError:
            await asyncio.gather(*map(cancellation.end, attempts.values()))
            raise
        for name, attempt in attempts.items():
            if not attempt.done():
                lanes[name].go_on(self._message.id, self._complete(name, attempt))
        answered = {name: each.result() for name, each in attempts.items() if each.done()}
        await self._keep(self._waiting, answered)

    async def _complete(self, name: str, attempt: "asyncio.Task[_Outcome]") -> None:
        """Record the result of a slow attempt; the sweeper notices if that fails."""
        try:
            outcome = await attempt
            waiting = await self._services.backends.outbox.open(self._waiting.name)
            await self._keep(waiting, {name: outcome})
        except StoreUnavailable as error:
            log.warning("webhook.store_unavailable", error=repr(error))
        except asyncio.CancelledError:
            await cancellation.end(attempt)
            self._services.backends.queue.send(Step.NOTIFY, self._waiting.name)
            raise

    async def _keep(self, waiting: Waiting | None, outcomes: Mapping[str, _Outcome]) -> None:
        """Write the results of the attempts, even if another task has written in the meantime."""
        outbox, name = self._services.backends.outbox, self._waiting.name
        for _ in range(_WRITES):
            if waiting is None:
                return
            try:
                await self._write(waiting, outcomes)
                break
            except PreconditionFailed:
                waiting = await outbox.open(name)
        if pauses := [each.again for each in outcomes.values() if each.again is not None]:
            await later(self._services, Step.NOTIFY, name, min(pauses) + CLOCK_STEP)

    async def _write(self, waiting: Waiting, outcomes: Mapping[str, _Outcome]) -> None:
        """Raises PreconditionFailed if `waiting` is not the newest."""
        progress = carried_over(waiting.progress, waiting.age)
        standings = {
            name: outcome.standing
            for name, outcome in outcomes.items()
            if outcome.standing is not None
        }
        after = {**without(progress, self._services.lanes), **not_over(progress, standings)}
        progress = changed(progress, after)
        if progress.is_over:
            crash.point(crash.Point.OUTBOX_SENT)
            stopped = {name: each.stopped for name, each in outcomes.items() if each.stopped}
            await self._services.backends.outbox.finish(waiting, progress, stopped)
        elif after:
            await self._services.backends.outbox.amend(waiting, progress)

    async def _attempt(self, name: str, before: Standing) -> _Outcome:
        lane = self._services.lanes[name]
        try:
            tried = await lane.send(self._message.id, self._body(lane))
        except Stopped as stopped:
            gone = _gone(before, answered=stopped.answered)
            return self._dead(name, gone)._replace(stopped=lane.endpoint.url)
        except Busy as busy:
            if pause_after(0, self._waited, 0.0, 0.0) is None:
                return self._dead(name, before)
            spread = random.uniform(0, _SPREAD)  # noqa: S311 - jitter
            return _Outcome(None, busy.seconds + spread)
        attempts = before.attempts + tried.counts
        report = tried.report
        standing = replace(
            before, attempts=attempts, pause=0.0, status=report.status, detail=report.detail
        )
        if report.succeeded:
            lag = max(0.0, time.time() - self._upload.since.timestamp())
            WEBHOOK_LAG.of(name).observe(lag)
            log.info("webhook.delivered", endpoint=name, message=self._message.id)
            return _Outcome(replace(standing, detail="", over=Over.DELIVERED))
        jitter = random.random()  # noqa: S311 - jitter
        pause = pause_after(attempts, self._waited, tried.asked, jitter)
        if pause is None:
            return self._dead(name, standing)
        if not tried.counts:  # all messages wait for the endpoint: its breaker says when
            pause = tried.asked * (1 + jitter)
        return _Outcome(replace(standing, pause=pause), pause)

    def _body(self, lane: Lane) -> bytes:
        source = str(self._services.backends.settings.public_url).rstrip("/")
        return body_of(self._upload, lane.endpoint.format, source)

    def _dead(self, name: str, standing: Standing) -> _Outcome:
        WEBHOOK_DELIVERIES.add(name, "dead")
        log.error(
            "webhook.dead_letter",
            endpoint=name,
            message=self._message.id,
            status=standing.status,
            detail=standing.detail,
        )
        return _Outcome(replace(standing, over=Over.DEAD))


def _gone(before: Standing, *, answered: bool) -> Standing:
    """A message after its endpoint has `answered` 410 to it, or else to another one."""
    if answered:
        return replace(before, attempts=before.attempts + 1, status=_GONE, detail="")
    return replace(before, detail="the endpoint has answered 410 to another message")
