"""Whether the store heeds the conditions of writes: tried as a gateway starts.

What may happen only once is decided by such writes. A store that ignores them would let two
uploads have one idempotency key, and two workers register one file.
"""

import asyncio
from contextlib import suppress
from secrets import token_hex
from typing import Final

from gateway.errors import GatewayError, StoreUnavailable, StoreUnfit
from gateway.store.conditions import IGNORED, heeds_conditions
from gateway.store.objects import ObjectStore
from gateway.telemetry import get_logger

log = get_logger(__name__)

_AGAIN_SECONDS: Final = 30.0
_PATIENCE: Final = 25.0
"""How long a client waits for the first try."""


class Fitness:
    """That of one store, as far as this process knows it."""

    def __init__(self, store: ObjectStore) -> None:
        """The store is fit until it is known to be unfit."""
        self._store = store
        self._unfit = False
        self._tried = asyncio.Event()

    async def check(self) -> None:
        """Wait for the first try, if need be.

        Raises StoreUnfit for a store that ignored a condition when it was last tried, and
        StoreUnavailable for one that does not answer.
        """
        if not self._tried.is_set():
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._tried.wait()
            except TimeoutError:
                raise StoreUnavailable("the store did not answer in time") from None
        if self._unfit:
            raise StoreUnfit(f"the store cannot be used: {IGNORED}", _AGAIN_SECONDS)

    async def keep(self) -> None:
        """Try the store until it is found to be fit; then wait to be cancelled."""
        while not await self._is_fit():
            self._tried.set()
            await asyncio.sleep(_AGAIN_SECONDS)
        self._tried.set()
        await asyncio.Event().wait()

    async def _is_fit(self) -> bool:
        """Whether it is known to be fit."""
        key = f"doctor/conditions-{token_hex(8)}"
        try:
            self._unfit = not await heeds_conditions(self._store, key)
        except GatewayError:  # it is away, and uploads are refused as long as it is
            return False
        finally:
            with suppress(GatewayError):  # it expires as what a doctor leaves
                await self._store.delete(key)
        if self._unfit:
            log.warning("store.unfit", error=IGNORED)
        return not self._unfit
