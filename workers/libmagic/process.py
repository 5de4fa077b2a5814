"""Processes with libmagic in them, as the worker sees them: started, asked, killed, replaced."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.errors import ConfigurationError, SnifferUnavailable
from gateway.telemetry import get_logger
from workers.libmagic.child import OK

log = get_logger(__name__)

COMMAND: Final = (sys.executable, "-P", "-m", "workers.libmagic.child")

ANSWER_SECONDS: Final = 20.0
"""Seconds for one answer. A child exits after two seconds of CPU: this is for a busy machine."""

START_SECONDS: Final = 60.0

KEPT: Final = 2
"""Children that stay: while one hangs, the other answers."""

MOST: Final = 16
"""Maximum of children if others hang: half as many as a worker has steps in progress."""

PATIENCE: Final = 0.2
"""Seconds without an answer of any child, while a caller waits for one, before another is started.

If children do answer and many callers wait, another would not help: starting one takes as long as
hundreds of answers.
"""

_LOOKS: Final = 2
"""Number of checks in this time: if a check itself is late, there may be unread answers."""

_TRIES: Final = 2
"""A child may be killed for another reason than its file; twice in turn it is the file."""

_PASSED_ON: Final = ("PATH", "HOME", "TMPDIR", "MAGIC", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Of the environment, which has the secrets of the worker in it."""


class NoAnswer(Exception):
    """The child ended, or was killed, before it answered."""


class Child:
    """One process, asked one thing at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.confined = ""
        """By what means."""

    @classmethod
    async def start(cls, command: Sequence[str]) -> "Child":
        """A child that has tested its libmagic.

        Raises ConfigurationError if that does not work, OSError if no process can be started.
        """
        # In a separate session: Ctrl-C is for the worker, which ends its children itself.
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=_environment(os.environ),
            start_new_session=True,
        )
        child = cls(process)
        try:
            async with asyncio.timeout(START_SECONDS):
                greeting = await child._answer()
        except (NoAnswer, TimeoutError):
            await child.kill()
            raise ConfigurationError(
                "libmagic cannot be used: it crashes while it is loaded"
            ) from None
        except BaseException:
            await child.kill()
            raise
        if not greeting.startswith(OK):
            await child.kill()
            raise ConfigurationError(f"libmagic cannot be used: {greeting}")
        child.confined = greeting.removeprefix(f"{OK}, ")
        log.debug("libmagic.started", pid=process.pid, confined=child.confined)
        return child

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ask(self, head: bytes) -> str:
        """Libmagic's type for the bytes; empty if it does not know.

        Raises NoAnswer; after that, or a cancellation, the child cannot be used any more.
        """
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                self._process.stdin.write(len(head).to_bytes(4) + head)
                await self._process.stdin.drain()
                return await self._answer()
        except (TimeoutError, ConnectionError):
            raise NoAnswer from None

    async def kill(self) -> None:
        """End it, and see that it has ended: no process stays behind."""
        with suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    async def _answer(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        try:
            (length,) = await self._process.stdout.readexactly(1)
            return (await self._process.stdout.readexactly(length)).decode(errors="replace")
        except asyncio.IncompleteReadError:
            raise NoAnswer from None


class Libmagic:
    """Enough children that one which hangs or dies does not delay other callers."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        # A place is a child, or None for one that was not started yet.
        self._places: asyncio.LifoQueue[Child | None] = asyncio.LifoQueue()
        self._count = 0
        self._waiting = 0
        self._idle_looks = 0
        """Looks in turn before which no child came back."""
        self._next_look: asyncio.TimerHandle | None = None
        for _ in range(KEPT):
            self._add_place()

    @classmethod
    @asynccontextmanager
    async def open(cls, command: Sequence[str] = ()) -> "AsyncIterator[Libmagic]":
        """A pool of children, started by `command` if given.

        Raises ConfigurationError if libmagic does not work.
        """
        libmagic = cls(command or COMMAND)
        try:
            async with libmagic._child():
                pass
            yield libmagic
        finally:
            await libmagic._close()

    async def type_of(self, head: bytes) -> str | None:
        """Libmagic's type for the bytes, in its own words; None if it gave no answer.

        Raises SnifferUnavailable if no child can be started.
        """
        for tries in range(1, _TRIES + 1):
            try:
                async with self._child() as child:
                    return await child.ask(head) or None
            except NoAnswer:
                log.warning("libmagic.no_answer", size=len(head), tries=tries)
            except (ConfigurationError, OSError) as error:
                raise SnifferUnavailable(f"no libmagic can be started: {error}") from error
        return None

    @asynccontextmanager
    async def _child(self) -> AsyncIterator[Child]:
        """A child for one caller at a time; a child that fails is replaced."""
        child = await self._free_place()
        place: Child | None = None
        try:
            child = child or await Child.start(self._command)
            yield child
            place = child
        finally:
            if place is None and child is not None:
                await child.kill()
            await self._give_back(place)

    async def _free_place(self) -> Child | None:
        self._waiting += 1
        if self._next_look is None and self._places.empty():
            self._idle_looks = 0
            self._look_later()
        try:
            return await self._places.get()
        finally:
            self._waiting -= 1

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._next_look = loop.call_later(PATIENCE / _LOOKS, self._look)

    def _look(self) -> None:
        """Start another child if a caller waits and no child returns."""
        self._next_look = None
        if not self._waiting:
            return
        self._idle_looks += 1
        if self._idle_looks > _LOOKS and self._count < MOST:
            self._idle_looks = 0
            self._add_place()
        self._look_later()

    async def _give_back(self, place: Child | None) -> None:
        self._idle_looks = 0
        if self._count > KEPT and self._places.qsize() >= KEPT:
            self._count -= 1
            if place is not None:
                await place.kill()
        else:
            self._places.put_nowait(place)

    def _add_place(self) -> None:
        self._count += 1
        self._places.put_nowait(None)

    async def _close(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        while not self._places.empty():
            if (child := self._places.get_nowait()) is not None:
                await child.kill()


async def check() -> str:
    """How a child is confined, if one can be started. Raises what `Child.start` raises."""
    child = await Child.start(COMMAND)
    await child.kill()
    return child.confined


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: where to find Python, the libraries and this package."""
    passed = {name: environ[name] for name in _PASSED_ON if name in environ}
    return {**passed, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
