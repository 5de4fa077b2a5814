"""The bytes of parts that one process may hold in memory at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.errors import BudgetExhausted

_RETRY_AFTER = 2.0


class Budget:
    """Hands out bytes of memory: first come, first served, and never more than there are."""

    def __init__(self, total_bytes: int) -> None:
        """Hand out at most `total_bytes` at a time."""
        self._total = total_bytes
        self._used = 0
        self._waiting: dict[asyncio.Future[None], int] = {}

    @property
    def total(self) -> int:
        """Bytes that there are."""
        return self._total

    @property
    def used(self) -> int:
        """Bytes that are reserved now."""
        return self._used

    @asynccontextmanager
    async def reserve(self, size: int, patience_seconds: float) -> AsyncIterator[None]:
        """Hold `size` bytes inside the block; more than there are at all is all of them.

        Raises BudgetExhausted where they are not free within `patience_seconds`.
        """
        size = min(size, self._total)
        await self._acquire(size, patience_seconds)
        try:
            yield
        finally:
            self._release(size)

    async def _acquire(self, size: int, patience_seconds: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = size
        self._serve()
        if turn.done():
            return
        try:
            async with asyncio.timeout(patience_seconds):
                await turn
        except BaseException as error:
            self._leave(turn, size)
            if isinstance(error, TimeoutError):
                raise BudgetExhausted("no memory is free for this upload", _RETRY_AFTER) from None
            raise

    def _release(self, size: int) -> None:
        self._used -= size
        self._serve()

    def _leave(self, turn: asyncio.Future[None], size: int) -> None:
        """Stop blocking the others, or give back what was granted in the same moment."""
        if turn.cancelled():
            self._waiting.pop(turn, None)
        else:
            self._used -= size
        self._serve()

    def _serve(self) -> None:
        """Give the first in the queue what they wait for, as far as it goes."""
        while self._waiting:
            turn, size = next(iter(self._waiting.items()))
            if turn.cancelled():
                del self._waiting[turn]
            elif self._used + size <= self._total:
                del self._waiting[turn]
                self._used += size
                turn.set_result(None)
            else:
                return
