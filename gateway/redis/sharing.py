"""Requests that arrive during a call share the next one: many of them, one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class SharedCalls(Generic[Request, Answer]):
    """Makes one call at a time, for all requests that have arrived by then.

    A request that finds no call in progress does not wait for others: those of the same turn of the
    loop share its call. After a call that failed, which may have taken as long as its time-out, all
    that wait are called for at once: none waits for the time-outs of the others in turn.
    """

    def __init__(
        self, call: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]], largest: int
    ) -> None:
        """`call` returns an answer to each request, in their order; it gets at most `largest`."""
        self._call = call
        self._largest = largest
        self._waiting: list[tuple[Request, asyncio.Future[Answer]]] = []
        self._calling: asyncio.Task[None] | None = None

    async def ask(self, request: Request) -> Answer:
        """The answer to the request. Raises what the call raises, which all who share it get."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if self._calling is None:
            self._calling = asyncio.create_task(self._call_all())
        return await answer

    async def _call_all(self) -> None:
        try:
            while self._waiting:
                if not await self._call_for(self._next()):
                    await asyncio.gather(*map(self._call_for, iter(self._next, [])))
        finally:
            self._calling = None

    def _next(self) -> list[tuple[Request, asyncio.Future[Answer]]]:
        """The requests that share a call; none if no request waits."""
        sharing = self._waiting[: self._largest]
        del self._waiting[: self._largest]
        return sharing

    async def _call_for(self, sharing: Sequence[tuple[Request, asyncio.Future[Answer]]]) -> bool:
        """Make one call; whether it succeeded."""
        try:
            answers = await self._call([request for request, _ in sharing])
        except Exception as error:  # noqa: BLE001 - those who asked get it
            for _, future in sharing:
                if not future.done():  # its caller may have been cancelled
                    future.set_exception(error)
            return False
        for (_, future), answer in zip(sharing, answers, strict=True):
            if not future.done():
                future.set_result(answer)
        return True
