"""How long the store is waited for: as long as it does something, and a moment once it is silent.

A client's request may ask the store several times in a row, and the client waits for 30 s in all.
So after one call that waited long in vain, the next calls wait a moment only, unless the store has
answered any other call in the meantime.

What the store is not to blame for is not counted: the time for which this process stood still, and
the time for which a call waits for others to end, while the store does something for these.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from io import BytesIO
from math import inf
from typing import Final

from botocore.exceptions import ClientError

SECONDS: Final = 20.0
"""How long a store may do nothing that this process sees."""

_CALLS: Final = 64
"""At a time, each on a connection: more than a process can make use of, and memory for no more."""

_NOTED_SECONDS: Final = 10.0
"""After which a failure counts as silence: all attempts to connect have had their time."""

_MOMENT: Final = 2.0
"""How long a store that was silent is waited for."""

_LASTS_SECONDS: Final = 10.0
"""How long that is so: then a slow store has its full time again."""

_LOOK_SECONDS: Final = 1.0
_STOOD_STILL: Final = 1.0
"""Seconds that a check is late if the process, or its whole machine, was stopped."""


class Silence:
    """That of one store, as this process sees it."""

    def __init__(self) -> None:
        """It has been asked nothing yet."""
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
        """Bound a call, which sends the body if there is one, by the store's silence.

        `more` are seconds that the store works for it; who is connected waits for no others.
        Raises TimeoutError.
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
            except BaseException:  # also that somebody waits for it no longer
                if looks.in_vain():
                    self._silent_until = _now() + _LASTS_SECONDS
                raise
            finally:
                looks.end()
            self.seen()

    def seen(self) -> None:
        """The store has done something."""
        self.seen_at = _now()
        self._silent_until = -inf


class _Looks:
    """Looks at one call from time to time, and ends it when the store has been silent for long."""

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
        """The call has its turn: from now on it is the store that it waits for."""
        self._asked = True
        self._since = _now()
        self._ends = self._since + self._silence.patience + self._more

    def in_vain(self) -> bool:
        """Whether the store was asked, and has long done nothing for this call or any other."""
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
        if (late := now - self._due) > _STOOD_STILL:  # what came meanwhile is read first
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
        """Whether the store took more of the body. At first it is buffers that take it."""
        if self._body is None or not self._asked:
            return False
        before, self._place = self._place, self._body.tell()
        return before is not None and self._place != before


def _now() -> float:
    return asyncio.get_running_loop().time()
