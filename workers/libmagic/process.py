"""Processes with libmagic in them, as the worker sees them: started, asked, killed, replaced."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
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

_LARGEST_EXCHANGE: Final = 16

_READ: Final = 4096

_PASSED_ON: Final = ("PATH", "HOME", "TMPDIR", "MAGIC", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Of the environment, which has the secrets of the worker in it."""


class NoAnswer(Exception):
    """The child ended, or was killed, before it answered."""


class Child:
    """One process, which answers one question after the other."""

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
            greeting = await anext(child.answers(1, START_SECONDS))
        except NoAnswer:
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

    def ask(self, heads: Iterable[bytes]) -> None:
        """Ask what types these bytes are of; `answers` are in the same order."""
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        self._process.stdin.write(b"".join(len(head).to_bytes(4) + head for head in heads))

    async def answers(self, count: int, within: float | None = None) -> AsyncIterator[str]:
        """That many of libmagic's types, as they come; empty for what it does not know.

        Each comes within `within` seconds, else ANSWER_SECONDS. Raises NoAnswer; after that, or a
        cancellation, the child cannot be used any more.
        """
        seconds = ANSWER_SECONDS if within is None else within
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        data = b""
        while count:
            try:
                async with asyncio.timeout(seconds):
                    more = await self._process.stdout.read(_READ)
            except TimeoutError:
                raise NoAnswer from None
            if not more:
                raise NoAnswer
            data += more
            while data and len(data) > data[0]:
                answer, data = data[1 : 1 + data[0]], data[1 + data[0] :]
                count -= 1
                yield answer.decode(errors="replace")

    async def kill(self) -> None:
        """End it, and see that it has ended: no process stays behind."""
        with suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()


class _Question:
    """Bytes that some caller waits to know the type of."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.tries = 0
        """How many children ended over it."""

    def is_answered(self, answer: str | None) -> None:
        """Return the answer to the caller, which may have left."""
        if not self.answer.done():
            self.answer.set_result(answer)


class _Exchange:
    """Questions that one child was asked together: it looks at the first that is left."""

    def __init__(
        self, questions: Iterable[_Question], put_back: Callable[[Iterable[_Question]], None]
    ) -> None:
        """`put_back` is called with those that are to be asked again, of any child."""
        self._left = deque(questions)
        self._put_back = put_back
        self._is_moving = True
        self._look_later()

    def answered(self, answer: str) -> None:
        """The child has answered the next question, which another may have been asked since."""
        self._is_moving = True
        if self._left:
            self._left.popleft().is_answered(answer or None)

    def ended(self) -> None:
        """Note that the child has ended, perhaps because of the question that was next."""
        self._put_back_rest()
        if not self._left:
            return
        question = self._left.popleft()
        question.tries += 1
        log.warning("libmagic.no_answer", size=len(question.head), tries=question.tries)
        if question.tries < _TRIES:
            self._put_back([question])
        else:
            question.is_answered(None)

    def close(self) -> None:
        """Stop looking."""
        self._next_look.cancel()

    def _look_later(self) -> None:
        self._next_look = asyncio.get_running_loop().call_later(PATIENCE, self._look)

    def _look(self) -> None:
        """Let no question wait behind one that takes long."""
        if not self._is_moving:
            self._put_back_rest()
        self._is_moving = False
        self._look_later()

    def _put_back_rest(self) -> None:
        rest = list(self._left)[1:]
        self._left = deque(list(self._left)[:1])
        if rest:
            self._put_back(rest)


class Libmagic:
    """Enough children that one which hangs or dies does not delay other callers.

    Callers that wait at the same time share an exchange with a child. If the child ends over a
    file, that file is asked about again by itself. Those behind it, which the child has not looked
    at, are asked about as if they were new; and so are those behind a file that takes it long.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        # A place is a child, or None for one that was not started yet.
        self._places: asyncio.LifoQueue[Child | None] = asyncio.LifoQueue()
        self._count = 0
        self._waiting = 0
        self._idle_looks = 0
        """Looks in turn before which no child came back."""
        self._next_look: asyncio.TimerHandle | None = None
        self._questions: deque[_Question] = deque()
        self._asking: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._is_seeking_child = False
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
        question = _Question(head)
        self._questions.append(question)
        self._ask_soon()
        return await question.answer

    def _ask_soon(self) -> None:
        """Have the next free child asked, unless it will be."""
        if self._questions and not self._is_seeking_child:
            self._is_seeking_child = True
            _start(self._ask(), self._asking)

    async def _ask(self) -> None:
        questions: list[_Question] = []
        try:
            async with self._child() as child:
                questions = self._next_questions()
                await self._exchange(child, questions)
        except NoAnswer:
            pass
        except (ConfigurationError, OSError) as error:
            for question in questions or self._next_questions():
                if not question.answer.done():
                    unavailable = SnifferUnavailable(f"no libmagic can be started: {error}")
                    unavailable.__cause__ = error
                    question.answer.set_exception(unavailable)

    def _next_questions(self) -> list[_Question]:
        """Those that share the next exchange; one over which a child ended has its own."""
        self._is_seeking_child = False
        questions: list[_Question] = []
        while self._questions and len(questions) < _LARGEST_EXCHANGE:
            if questions and self._questions[0].tries:
                break
            question = self._questions.popleft()
            if not question.answer.done():
                questions.append(question)
            if question.tries:
                break
        self._ask_soon()
        return questions

    async def _exchange(self, child: Child, questions: Sequence[_Question]) -> None:
        """Have the child asked. Raises NoAnswer if it ended over one of the questions."""
        exchange = _Exchange(questions, self._put_back)
        child.ask(question.head for question in questions)
        try:
            async for answer in child.answers(len(questions)):
                self._idle_looks = 0
                exchange.answered(answer)
        except NoAnswer:
            exchange.ended()
            raise
        finally:
            exchange.close()

    def _put_back(self, questions: Iterable[_Question]) -> None:
        self._questions.extend(questions)
        self._ask_soon()

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
                await asyncio.shield(_start(child.kill(), self._ending))
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
        for task in self._asking:
            task.cancel()
        while tasks := self._asking | self._ending:
            await asyncio.wait(tasks)
        if self._next_look is not None:
            self._next_look.cancel()
        while not self._places.empty():
            if (child := self._places.get_nowait()) is not None:
                await child.kill()


def _start(work: Coroutine[None, None, None], tasks: set[asyncio.Task[None]]) -> asyncio.Task[None]:
    """A task that is one of the `tasks` until it is done."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


async def check() -> str:
    """How a child is confined, if one can be started. Raises what `Child.start` raises."""
    child = await Child.start(COMMAND)
    await child.kill()
    return child.confined


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: where to find Python, the libraries and this package."""
    passed = {name: environ[name] for name in _PASSED_ON if name in environ}
    return {**passed, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
