"""The way to each endpoint of webhooks: its breaker, its places, and whether it was stopped.

Whatever one endpoint does, messages to the others are sent.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway import cancellation
from gateway.backends import Backends
from gateway.errors import StoreUnavailable
from gateway.metrics.catalogue import WEBHOOK_DELIVERIES
from gateway.records.outbox import Outbox
from gateway.telemetry import get_logger
from gateway.upstream.breaker import LONGEST_PAUSE, SharedBreaker
from gateway.upstream.retry import retry_after_seconds
from gateway.webhooks.endpoints import Endpoint
from gateway.webhooks.sender import Report, Sender

log = get_logger(__name__)

_PLACES: Final = 16
"""Attempts in progress at one endpoint, of one process."""

_FULL_SECONDS: Final = 5.0
"""The pause of a message that finds no free place."""

_STOP_SECONDS: Final = 10.0
"""Seconds for which a process does not look again whether an endpoint was stopped.

It does look if it was: otherwise it would give up messages after an operator has allowed them.
"""

_GONE: Final = 410
_OUTCOMES: Final = ("delivered", "failed", "gone", "dead")


@dataclass(frozen=True, slots=True)
class Tried:
    """What an attempt has led to; `asked`: the pause in seconds that is needed at least.

    `counts`: it was the message's own failure, rather than one of all messages' by now.
    """

    report: Report
    asked: float = 0.0
    counts: bool = True


class Stopped(Exception):
    """The endpoint has answered 410: it gets no more messages.

    `answered`: to this message, which it has got; else to another one.
    """

    def __init__(self, *, answered: bool) -> None:
        super().__init__()
        self.answered = answered


class Busy(Exception):
    """Nothing may be sent now; `seconds` later it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class Lane:
    """The way to one endpoint."""

    def __init__(
        self, endpoint: Endpoint, sender: Sender, breaker: SharedBreaker, outbox: Outbox
    ) -> None:
        """Send with `sender`, if the breaker permits it and the endpoint was not stopped."""
        self.endpoint = endpoint
        self._sender = sender
        self._breaker = breaker
        self._outbox = outbox
        self._places = asyncio.Semaphore(_PLACES)
        for outcome in _OUTCOMES:  # from 0 on: alerts see the first event, too
            WEBHOOK_DELIVERIES.add(endpoint.name, outcome, amount=0)
        self._stopped = False
        self._looked_at: float | None = None
        self._unfinished: dict[asyncio.Task[None], str] = {}
        """Slow attempts, and the messages that they are about."""

    def go_on(self, message_id: str, work: Coroutine[None, None, None]) -> None:
        """Complete a slow attempt without a task of the broker that waits for it."""
        task = asyncio.create_task(work)
        self._unfinished[task] = message_id
        task.add_done_callback(self._unfinished.pop)

    def is_at(self, message_id: str) -> bool:
        """Whether a slow attempt to send the message is in progress."""
        return message_id in self._unfinished.values()

    async def close(self) -> None:
        """Cancel the slow attempts."""
        await asyncio.gather(*map(cancellation.end, self._unfinished))

    async def send(self, message_id: str, body: bytes) -> Tried:
        """Send a message. Raises Stopped, Busy."""
        if await self._is_stopped():
            raise Stopped(answered=False)
        if self._places.locked():
            raise Busy(_FULL_SECONDS)
        async with self._places:
            if (wait := await self._breaker.permit()) > 0:
                raise Busy(wait)
            report = await self._sender.send(self.endpoint, message_id, body)
            return await self._after(report)

    async def _after(self, report: Report) -> Tried:
        name = self.endpoint.name
        if report.succeeded:
            await self._breaker.succeeded()
            WEBHOOK_DELIVERIES.add(name, "delivered")
            return Tried(report)
        if report.status == _GONE:
            WEBHOOK_DELIVERIES.add(name, "gone")
            await self._breaker.succeeded()
            await self._stop()
            raise Stopped(answered=True)
        asked = retry_after_seconds(report.retry_after, datetime.now(UTC))
        away = await self._breaker.failed(asked)
        WEBHOOK_DELIVERIES.add(name, "failed")
        log.warning("webhook.failed", endpoint=name, status=report.status, detail=report.detail)
        return Tried(report, max(asked, LONGEST_PAUSE if away else 0.0), counts=not away)

    async def _stop(self) -> None:
        """Stop all processes from sending more; if the store fails, each finds out by itself."""
        self._stopped, self._looked_at = True, time.monotonic()
        log.error("webhook.stopped", endpoint=self.endpoint.name)
        try:
            await self._outbox.stop(self.endpoint.name, self.endpoint.url)
        except StoreUnavailable as error:
            log.warning("webhook.store_unavailable", error=repr(error))

    async def _is_stopped(self) -> bool:
        now = time.monotonic()
        looked_at = self._looked_at
        if not self._stopped and looked_at is not None and now - looked_at < _STOP_SECONDS:
            return False
        try:
            self._stopped = await self._outbox.is_stopped(self.endpoint.name, self.endpoint.url)
        except StoreUnavailable as error:
            log.warning("webhook.store_unavailable", error=repr(error))
        self._looked_at = now
        return self._stopped


@asynccontextmanager
async def open_lanes(backends: Backends) -> AsyncIterator[Mapping[str, Lane]]:
    """The ways to all endpoints, by their names."""
    async with Sender.open(backends.settings.webhook_allowed) as sender:
        lanes = {
            endpoint.name: Lane(
                endpoint,
                sender,
                SharedBreaker(backends.redis, f"webhook:{endpoint.name}", _count_nothing),
                backends.outbox,
            )
            for endpoint in backends.settings.endpoints
        }
        try:
            yield lanes
        finally:
            await asyncio.gather(*(lane.close() for lane in lanes.values()))


def _count_nothing(*, tripped: bool) -> None:
    pass
