"""One event loop and one set of clients for each worker process, whatever its pool.

Tasks of a threads pool share the loop; each child of a prefork pool has its own.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final, TypeVar

from gateway import cancellation, tracing
from gateway.backends import Backends, open_backends
from gateway.settings import Settings, load
from gateway.telemetry import get_logger
from gateway.uploads.lifecycle import Step
from workers.due import Due
from workers.lanes import Lane, open_lanes
from workers.sniff import Sniffer

log = get_logger(__name__)

_AUDITS: Final = 16
"""Audits in progress in one process: more only wait for each other's connections."""

_SESSIONS: Final = 4
"""Sessions that are made files of at a time in one process: each may be up to a part in memory."""


def _places() -> Mapping[Step, asyncio.Semaphore]:
    # With more inspections at a time, many of them would not get their turn soon.
    return {Step.INSPECT: asyncio.Semaphore(2 * _turns), Step.AUDIT: asyncio.Semaphore(_AUDITS)}


@dataclass(frozen=True, slots=True)
class WorkerServices:
    """What all steps share.

    `turns` are for inspections that register at once; other inspections leave that to another task.
    `places` bound how many steps are in progress if their messages have many uploads, `lanes` are
    the ways to the endpoints of webhooks, and
    `sessions` how many sessions are ended. `suspects` is for uploads that may kill their process:
    one at a time, so that its death shows which it was.
    """

    backends: Backends
    sniffer: Sniffer
    due: Due
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_turns))
    places: Mapping[Step, asyncio.Semaphore] = field(default_factory=_places)
    lanes: Mapping[str, Lane] = field(default_factory=dict)
    sessions: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_SESSIONS))
    suspects: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))


_turns = 1
"""Of this process; a prefork pool's never has more than one step."""

Result = TypeVar("Result")
Work = Callable[[WorkerServices], Coroutine[None, None, None]]


class Interrupted(Exception):
    """The worker ends; the work was not begun."""


class Runtime:
    """A loop in a thread of its own, with the clients that live on it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self._loop.run_forever, name="runtime", daemon=True)
        self._thread.start()
        self._begun: set[asyncio.Task[None]] = set()
        settings = load()
        if settings.tracing:  # in each child of its own: the thread that sends outlives no fork
            tracing.start("chatkitty-gateway-worker")
        self._services = self._call(self._open(settings))

    def run(self, work: Work) -> None:
        """Do the work on the loop; raises what it raises, and Interrupted if it was not begun."""
        self._call(self._interruptible(work))

    def interrupt(self) -> None:
        """Cancel everything in progress, and start nothing more."""
        self._loop.call_soon_threadsafe(self._interrupt)

    def close(self) -> None:
        """Close the clients and end the loop."""
        self._call(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        tracing.stop()

    async def _interruptible(self, work: Work) -> None:
        if _interrupted.is_set():
            raise Interrupted
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        self._begun.add(task)
        try:
            await work(self._services)
        except asyncio.CancelledError:
            log.warning("runtime.interrupted")
        finally:
            self._begun.discard(task)

    def _interrupt(self) -> None:
        """Cancel what is in progress until all of it has ended (see `gateway.cancellation`)."""
        if self._begun:
            for task in self._begun:
                task.cancel()
            self._loop.call_later(cancellation.CANCEL_SECONDS, self._interrupt)

    async def _open(self, settings: Settings) -> WorkerServices:
        backends = await self._stack.enter_async_context(open_backends(settings))
        sniffer = await self._stack.enter_async_context(Sniffer.open())
        due = Due(backends.redis, backends.queue)
        watching = asyncio.create_task(due.watch())
        self._stack.push_async_callback(cancellation.end, watching)
        lanes = await self._stack.enter_async_context(open_lanes(backends))
        return WorkerServices(backends, sniffer, due, lanes=lanes)

    def _call(self, coroutine: Coroutine[None, None, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


_lock = threading.Lock()
_interrupted = threading.Event()
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
    global _runtime
    runtime, _runtime = _runtime, None
    if runtime is not None:
        runtime.close()


def interrupt() -> None:
    """Cancel what is in progress in this process: each step gives its upload back."""
    _interrupted.set()
    if _runtime is not None:
        _runtime.interrupt()


def have_turns(count: int) -> None:
    """Say how many steps at once may register what they have inspected; before the first task."""
    global _turns  # noqa: PLW0603 - one for each process
    _turns = count
