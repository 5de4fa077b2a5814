"""Whether the store honours conditional writes: tested when a gateway starts.

Such writes decide what may happen only once. A store that ignores the conditions would let two
uploads have one idempotency key, and two workers register one file.
"""

import asyncio
from contextlib import suppress
from secrets import token_hex
from typing import Final

from gateway.errors import GatewayError, StoreUnavailable, StoreUnfit
from gateway.store.conditions import NOT_HEEDED, heeds_conditions
from gateway.store.objects import ObjectStore
from gateway.telemetry import get_logger

log = get_logger(__name__)

_AGAIN_SECONDS: Final = 30.0
_PATIENCE: Final = 25.0
"""How long a client waits for a try."""


class Fitness:
    """That of one store, as far as this process knows it."""

    def __init__(self, store: ObjectStore) -> None:
        """Nothing is known of the store until it was tried."""
        self._store = store
        # One for all tries: a store may let this key write, and not delete.
        self._key = f"doctor/conditions-{token_hex(8)}"
        self._fit: bool | None = None
        self._why_unknown = ""
        self._wanted = asyncio.Event()
        self._tried = asyncio.Condition()

    async def check(self) -> None:
        """Test the store, unless it is known to be fit, and wait for the result.

        Raises StoreUnfit for a store that ignored a condition in its last test, and
        StoreUnavailable for one that could not be tested.
        """
        await self.reject_unfit()
        if self._fit is None:
            raise StoreUnavailable(self._why_unknown)

    async def reject_unfit(self) -> None:
        """Raises StoreUnfit if the store was tried, now or before, and is unfit."""
        if self._fit is None:
            await self._next_try()
        if self._fit is False:
            raise StoreUnfit(f"the store cannot be used: {NOT_HEEDED}", _AGAIN_SECONDS)

    async def keep(self) -> None:
        """Try the store until it is found to be fit; then wait to be cancelled."""
        while True:
            self._wanted.clear()
            await self._try()
            async with self._tried:
                self._tried.notify_all()
            with suppress(GatewayError):  # it expires as what a doctor leaves
                await self._store.delete(self._key)
            if self._fit:
                await asyncio.Event().wait()
            elif self._fit is None:
                await self._wanted.wait()
            else:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _next_try(self) -> None:
        self._wanted.set()
        try:
            async with asyncio.timeout(_PATIENCE), self._tried:
                await self._tried.wait()
        except TimeoutError:
            raise StoreUnavailable("the store did not answer in time") from None

    async def _try(self) -> None:
        try:
            self._fit = await heeds_conditions(self._store, self._key)
        except GatewayError as error:
            # An unfit store stays unfit until a test succeeds.
            self._why_unknown = str(error)
        if self._fit is False:
            log.warning("store.unfit", error=NOT_HEEDED)
