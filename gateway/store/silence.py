"""How long the store is waited for: as long as it does something, and a moment once it is silent.

A client's request may ask the store several times in a row, and the client waits for 30 s in all.
So after one call that waited long in vain, the next calls wait a moment only, unless the store has
answered any other call in the meantime.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from io import BytesIO
from math import inf
from typing import Final

from botocore.exceptions import ClientError

SECONDS: Final = 20.0
"""How long a store may do nothing that this process sees."""

_NOTED_SECONDS: Final = 10.0
"""After which a failure counts as silence: all attempts to connect have had their time."""

_MOMENT: Final = 2.0
"""How long a store that was silent is waited for."""

_LASTS_SECONDS: Final = 10.0
"""How long that is so: then a slow store has its full time again."""

_LOOK_SECONDS: Final = 1.0
_SLOWEST_RATE: Final = 256 * 1024
"""Bytes per second, below which a store is taken for stalled."""

_AT_ONCE: Final = 256 * 1024
"""Bytes of a body that go into the buffers of a connection: how far they are says nothing."""


class Silence:
    """That of one store, as this process sees it."""

    def __init__(self) -> None:
        """It has been asked nothing yet."""
        self._answered_at = -inf
        self._silent_until = -inf

    @property
    def patience(self) -> float:
        """Seconds to wait for the next answer."""
        return _MOMENT if _now() < self._silent_until else SECONDS

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Whether what is asked within is answered."""
        began = _now()
        try:
            yield
        except ClientError:
            self._answer()
            raise
        except BaseException:  # also that somebody waits for it no longer
            if _now() - began >= _NOTED_SECONDS and self._answered_at < began:
                self._silent_until = _now() + _LASTS_SECONDS
            raise
        self._answer()

    def _answer(self) -> None:
        self._answered_at = _now()
        self._silent_until = -inf


@asynccontextmanager
async def put_off(limit: asyncio.Timeout, body: BytesIO) -> AsyncIterator[None]:
    """Put the limit off while the store takes more of the body, if not too slowly."""
    if (size := body.getbuffer().nbytes) <= _AT_ONCE:
        yield
        return
    looking = asyncio.create_task(_look(limit, body, _now() + SECONDS + size / _SLOWEST_RATE))
    try:
        yield
    finally:
        looking.cancel()


async def _look(limit: asyncio.Timeout, body: BytesIO, ends: float) -> None:
    seen = 0
    while not limit.expired():
        if (place := body.tell()) != seen:
            seen = place
            limit.reschedule(min(ends, _now() + SECONDS))
        await asyncio.sleep(_LOOK_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()
