"""Announces a worker with any kind of pool, from a thread of the process that leads the pool."""

import asyncio
import threading
from concurrent.futures import Future
from typing import Final

from gateway import cancellation
from gateway.agreement import Role, announce, announcement
from gateway.redis.client import open_client
from gateway.settings import Settings

_LAST_SECONDS: Final = 3.0
"""How long a worker that ends waits for Redis."""


class Announcing:
    """The announcement of one worker, from `begin` to `end`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="announcing", daemon=True)

    def begin(self) -> None:
        """Announce the worker from now on."""
        self._thread.start()

    def end(self) -> None:
        """Withdraw the announcement, if there is one."""
        if self._thread.is_alive():
            self._ended.set_result(None)
            self._thread.join(_LAST_SECONDS)

    def _run(self) -> None:
        asyncio.run(self._announce())

    async def _announce(self) -> None:
        settings = self._settings
        async with open_client(settings.redis, settings.redis_prefix) as redis:
            announcing = asyncio.create_task(announce(redis, announcement(settings, Role.WORKER)))
            await asyncio.wrap_future(self._ended)
            await cancellation.end(announcing)
