"""`notify`: sends a message about the end of an upload to the endpoints that want it.

The record of the end counts: what it says by then is sent. A message without its end waits, or is
dropped if no process will record that end any more. Two workers that send the same message at once
are allowed: receivers recognise it by its id.
"""

import asyncio
import random
import time

from msgspec.structs import replace

from gateway import crash
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
    without,
)
from gateway.webhooks.schedule import pause_after
from workers.lanes import Busy, Lane, Stopped
from workers.runtime import WorkerServices
from workers.steps.schedule import later

log = get_logger(__name__)

_SPREAD = 5.0
"""Seconds over which messages that wait for an endpoint come back to it."""


async def notify(name: str, services: WorkerServices) -> None:
    """Send the message of that name where it is due, if it is still in the outbox."""
    message = parse(name)
    if message is None:
        return
    waiting = await services.backends.outbox.open(name)
    if waiting is None:
        return
    upload = await _ended(message, services)
    if upload is None:
        if waiting.age >= DROPPED_AFTER and await _will_not_end(message, services):
            await services.backends.outbox.drop(name)
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


class _Round:
    """One task of a message: at most one attempt at each endpoint."""

    def __init__(self, services: WorkerServices, waiting: Waiting, upload: Upload) -> None:
        self._services = services
        self._waiting = waiting
        self._upload = upload
        self._message = message_of(upload)
        self._waited = waiting.progress.waited + waiting.age
        self._next: list[float] = []
        """Seconds after which this message may be sent to one of its endpoints."""

    async def run(self) -> None:
        """Send it where it is due, and keep what came of that."""
        progress = carried_over(self._waiting.progress, self._waiting.age)
        due = {
            name: standing
            for name, standing in self._waiting.progress.endpoints.items()
            if is_due(standing, self._waiting.age) and name in self._services.lanes
        }
        standings = await asyncio.gather(*(self._attempt(*each) for each in due.items()))
        after = {
            **without(progress, self._services.lanes),
            **{
                name: standing
                for name, standing in zip(due, standings, strict=True)
                if standing is not None
            },
        }
        outbox, name = self._services.backends.outbox, self._waiting.name
        progress = changed(progress, after)
        if progress.is_over:
            crash.point(crash.Point.OUTBOX_SENT)
            await outbox.finish(name, progress)
        elif after:
            await outbox.amend(self._waiting, progress)
        if self._next:
            await later(self._services, Step.NOTIFY, name, min(self._next) + CLOCK_STEP)

    async def _attempt(self, name: str, before: Standing) -> Standing | None:
        """What follows for one endpoint; None if nothing was sent."""
        lane = self._services.lanes[name]
        try:
            tried = await lane.send(self._message.id, self._body(lane))
        except Stopped:
            gone = replace(before, status=410, detail="the endpoint has answered 410")
            return self._dead(name, gone)
        except Busy as busy:
            if pause_after(0, self._waited, 0.0, 0.0) is None:
                return self._dead(name, before)
            spread = random.uniform(0, _SPREAD)  # noqa: S311 - jitter
            self._next.append(busy.seconds + spread)
            return None
        attempts = before.attempts + tried.counts
        report = tried.report
        standing = replace(
            before, attempts=attempts, pause=0.0, status=report.status, detail=report.detail
        )
        if report.succeeded:
            lag = max(0.0, time.time() - self._upload.since.timestamp())
            WEBHOOK_LAG.of(name).observe(lag)
            log.info("webhook.delivered", endpoint=name, message=self._message.id)
            return replace(standing, detail="", over=Over.DELIVERED)
        jitter = random.random()  # noqa: S311 - jitter
        pause = pause_after(attempts, self._waited, tried.asked, jitter)
        if pause is None:
            return self._dead(name, standing)
        if not tried.counts:  # all messages wait for the endpoint: its breaker says when
            pause = tried.asked * (1 + jitter)
        self._next.append(pause)
        return replace(standing, pause=pause)

    def _body(self, lane: Lane) -> bytes:
        source = str(self._services.backends.settings.public_url).rstrip("/")
        return body_of(self._upload, lane.endpoint.format, source)

    def _dead(self, name: str, standing: Standing) -> Standing:
        WEBHOOK_DELIVERIES.add(name, "dead")
        log.error(
            "webhook.dead_letter",
            endpoint=name,
            message=self._message.id,
            status=standing.status,
            detail=standing.detail,
        )
        return replace(standing, over=Over.DEAD)
