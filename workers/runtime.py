"""One event loop and one set of clients for each worker process, whatever its pool.

Tasks of a threads pool share the loop; each child of a prefork pool has its own.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

from gateway.settings import load
from gateway.uploads.backends import Backends, open_backends
from workers.sniff import Sniffer


@dataclass(frozen=True, slots=True)
class Services:
    """What steps work with."""

    backends: Backends
    sniffer: Sniffer


Result = TypeVar("Result")
Work = Callable[[Services], Coroutine[None, None, None]]


class Runtime:
    """A loop in a thread of its own, with the clients that live on it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self._loop.run_forever, name="runtime", daemon=True)
        self._thread.start()
        self._services = self._call(self._open())

    def run(self, work: Work) -> None:
        """Do the work on the loop; raises what it raises."""
        self._call(work(self._services))

    def close(self) -> None:
        """Close the clients and end the loop."""
        self._call(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> Services:
        backends = await self._stack.enter_async_context(open_backends(load()))
        sniffer = await self._stack.enter_async_context(Sniffer.open())
        return Services(backends, sniffer)

    def _call(self, coroutine: Coroutine[None, None, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


_lock = threading.Lock()
_runtime: Runtime | None = None


def run(work: Work) -> None:
    """Do the work on this process's loop."""
    _started().run(work)


def _started() -> Runtime:
    global _runtime  # noqa: PLW0603 - one for each process, made by the first task it gets
    with _lock:
        _runtime = _runtime or Runtime()
    return _runtime


def close() -> None:
    """Close what the process has opened, if anything."""
    if _runtime is not None:
        _runtime.close()
