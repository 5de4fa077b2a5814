"""One event loop and one set of clients for each worker process, whatever its pool.

Tasks of a threads pool share the loop; each child of a prefork pool has its own.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

from gateway.queue import STEP_LIMIT
from gateway.settings import load
from gateway.telemetry import bind_ids, clear_ids, get_logger
from gateway.uploads.backends import Backends, open_backends
from workers.sniff import Sniffer

log = get_logger(__name__)

_AT_A_TIME = 16
"""Steps of one message that are done together: more only wait for each other's connections."""


@dataclass(frozen=True, slots=True)
class Services:
    """What steps work with."""

    backends: Backends
    sniffer: Sniffer


Result = TypeVar("Result")
Work = Callable[[str, Services], Awaitable[None]]


class Runtime:
    """A loop in a thread of its own, with the clients that live on it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self._loop.run_forever, name="runtime", daemon=True)
        self._thread.start()
        self._services = self._call(self._open())

    def run(self, upload_id: str, work: Work) -> None:
        """Do the work, for at most the limit of a step; raises what it raises."""
        self._call(self._bounded(upload_id, work))

    def run_all(self, upload_ids: Sequence[str], work: Work) -> None:
        """Do the work for each, some at a time; one that fails holds up no other.

        Raises the first error once all have come to their end.
        """
        self._call(self._gathered(upload_ids, work))

    def close(self) -> None:
        """Close the clients and end the loop."""
        self._call(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> Services:
        backends = await self._stack.enter_async_context(open_backends(load()))
        return Services(backends, Sniffer())

    async def _bounded(self, upload_id: str, work: Work) -> None:
        clear_ids()
        bind_ids(upload_id=upload_id)
        # A threads pool ignores Celery's own time limits.
        async with asyncio.timeout(STEP_LIMIT):
            await work(upload_id, self._services)

    async def _gathered(self, upload_ids: Sequence[str], work: Work) -> None:
        turns = asyncio.Semaphore(_AT_A_TIME)

        async def in_turn(upload_id: str) -> None:
            async with turns:
                await self._bounded(upload_id, work)

        outcomes = await asyncio.gather(*map(in_turn, upload_ids), return_exceptions=True)
        failed = [
            (upload_id, error)
            for upload_id, error in zip(upload_ids, outcomes, strict=True)
            if error is not None
        ]
        for upload_id, error in failed:
            log.warning("step.failed", upload_id=upload_id, error=repr(error))
        if failed:
            raise failed[0][1]

    def _call(self, coroutine: Coroutine[None, None, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


_lock = threading.Lock()
_runtime: Runtime | None = None


def run(upload_id: str, work: Work) -> None:
    """Do a step for the upload on this process's loop."""
    _started().run(upload_id, work)


def run_all(upload_ids: Sequence[str], work: Work) -> None:
    """Do a step for each of the uploads on this process's loop."""
    _started().run_all(upload_ids, work)


def _started() -> Runtime:
    global _runtime  # noqa: PLW0603 - one for each process, made by the first task it gets
    with _lock:
        _runtime = _runtime or Runtime()
    return _runtime


def close() -> None:
    """Close what the process has opened, if anything."""
    if _runtime is not None:
        _runtime.close()
