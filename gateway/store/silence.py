"""How long a call waits for the store: as long as the store does something, then a limited time.

A client's request may need several calls to the store in a row, and the client waits for 30 s in
all. So after a call has waited long in vain, the next calls wait for two seconds only, until the
store has answered any call.

Two kinds of time are not the store's fault and do not count: the time for which this process was
stopped, and the time for which a call waits for its turn while the store serves other calls.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from io import BytesIO
from math import inf
from typing import Final

from botocore.exceptions import ClientError

SECONDS: Final = 20.0
"""How long the store may be silent, as far as this process sees."""

_CALLS: Final = 64
"""Concurrent calls, each on its own connection: more would cost memory and not be faster."""

_NOTED_SECONDS: Final = 10.0
"""From here on a failure counts as silence: all attempts to connect have had their time."""

_MOMENT: Final = 2.0
"""How long calls wait for a store that was silent."""

_LASTS_SECONDS: Final = 10.0
"""How long after a silence calls wait only a moment; then a slow store has its full time."""

_LOOK_SECONDS: Final = 1.0
_STOOD_STILL: Final = 1.0
"""If a check is this many seconds late, the process or its whole machine was stopped."""


class Silence:
    """The silence of one store, as this process sees it."""

    def __init__(self) -> None:
        """Begin without any silence."""
        self._turns = asyncio.Semaphore(_CALLS)
        self._silent_until = -inf
        self.seen_at = -inf
        """When the store last did something."""

    @property
    def patience(self) -> float:
        """Seconds to wait for the next answer."""
        return _MOMENT if _now() < self._silent_until else SECONDS

    @asynccontextmanager
    async def call(
        self, more: float = 0.0, body: BytesIO | None = None, *, connected: bool = False
    ) -> AsyncIterator[None]:
        """Limit a call by the store's silence; `body` is what the call sends, if anything.

        `more`: seconds that the store may need on top. A `connected` call does not wait for its
        turn. Raises TimeoutError.
        """
        async with asyncio.timeout(None) as limit:
            looks = _Looks(self, limit, more, body)
            try:
                async with nullcontext() if connected else self._turns:
                    looks.asked()
                    yield
            except ClientError:
                self.seen()
                raise
            except BaseException:  # also a cancellation: the caller waits no longer
                if looks.in_vain():
                    self._silent_until = _now() + _LASTS_SECONDS
                raise
            finally:
                looks.end()
            self.seen()

    def seen(self) -> None:
        """Note that the store has done something."""
        self.seen_at = _now()
        self._silent_until = -inf


class _Looks:
    """Checks one call from time to time, and ends it once the store was silent for too long."""

    def __init__(
        self, silence: Silence, limit: asyncio.Timeout, more: float, body: BytesIO | None
    ) -> None:
        self._silence = silence
        self._limit = limit
        self._more = more
        self._body = body
        self._place: int | None = None
        self._asked = False
        self._since = _now()
        self._ends = self._since + silence.patience
        self._set_timer(self._since)

    def asked(self) -> None:
        """Note that the call has its turn: from now on it waits for the store."""
        self._asked = True
        self._since = _now()
        self._ends = self._since + self._silence.patience + self._more

    def in_vain(self) -> bool:
        """Whether the call has waited for long while the store did nothing for any call."""
        return (
            self._asked
            and self._silence.seen_at < self._since
            and _now() - self._since >= _NOTED_SECONDS
        )

    def end(self) -> None:
        self._timer.cancel()

    def _set_timer(self, now: float) -> None:
        self._due = min(now + _LOOK_SECONDS, self._ends)
        self._timer = asyncio.get_running_loop().call_at(self._due, self._look)

    def _look(self) -> None:
        now = _now()
        if (late := now - self._due) > _STOOD_STILL:  # reads first what has arrived
            self._since += late
            self._ends += late
        elif self._goes_on():
            self._silence.seen()
            self._since = now
            self._ends = max(self._ends, now + SECONDS)
        elif not self._asked:
            self._ends = max(self._ends, self._silence.seen_at + SECONDS)
        if now >= self._ends:
            self._limit.reschedule(now)
        else:
            self._set_timer(now)

    def _goes_on(self) -> bool:
        """Whether the store took more of the body. The first bytes only go into buffers."""
        if self._body is None or not self._asked:
            return False
        before, self._place = self._place, self._body.tell()
        return before is not None and self._place != before


def _now() -> float:
    return asyncio.get_running_loop().time()
