"""The bytes of parts that one process may hold in memory at a time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from gateway.errors import BudgetExhausted

_RETRY_AFTER = 2.0

SHARE: Final = 0.75
"""What of all there is one subject may hold by several uploads: others find the rest."""


class _Wish(NamedTuple):
    """Who waits, and for how many bytes."""

    subject: str
    size: int


class Budget:
    """Hands out bytes of memory, never more than there are, and never all to one subject.

    Whoever holds least is served first; among equals, whoever came first.
    """

    def __init__(self, total_bytes: int) -> None:
        """Hand out at most `total_bytes` at a time."""
        self._total = total_bytes
        self._used = 0
        self._held: Counter[str] = Counter()
        self._waiting: dict[asyncio.Future[None], _Wish] = {}

    @property
    def total(self) -> int:
        """Bytes that there are."""
        return self._total

    @property
    def used(self) -> int:
        """Bytes that are reserved now."""
        return self._used

    @asynccontextmanager
    async def reserve(
        self, size: int, patience_seconds: float, subject: str
    ) -> AsyncIterator[None]:
        """Hold `size` bytes inside the block; more than there are at all is all of them.

        A subject's only upload may have all of them. Raises BudgetExhausted where they are not free
        within `patience_seconds`.
        """
        wish = _Wish(subject, min(size, self._total))
        await self._acquire(wish, patience_seconds)
        try:
            yield
        finally:
            self._release(wish)

    async def _acquire(self, wish: _Wish, patience_seconds: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = wish
        self._serve()
        if turn.done():
            return
        try:
            async with asyncio.timeout(patience_seconds):
                await turn
        except BaseException as error:
            self._leave(turn, wish)
            if isinstance(error, TimeoutError):
                raise BudgetExhausted("no memory is free for this upload", _RETRY_AFTER) from None
            raise

    def _release(self, wish: _Wish) -> None:
        self._give_back(wish)
        self._serve()

    def _leave(self, turn: asyncio.Future[None], wish: _Wish) -> None:
        """Stop blocking the others, or give back what was granted in the same moment."""
        if turn.cancelled():
            self._waiting.pop(turn, None)
        else:
            self._give_back(wish)
        self._serve()

    def _give_back(self, wish: _Wish) -> None:
        self._used -= wish.size
        self._held[wish.subject] -= wish.size
        if not self._held[wish.subject]:
            del self._held[wish.subject]

    def _serve(self) -> None:
        """Give those whose turn it is what they wait for, as far as it goes."""
        for turn in [turn for turn in self._waiting if turn.cancelled()]:
            del self._waiting[turn]
        while (first := self._next()) is not None:
            subject, size = self._waiting[first]
            if self._used + size > self._total:
                return  # smaller ones do not pass it by, or it might never have its turn
            del self._waiting[first]
            self._used += size
            self._held[subject] += size
            first.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        """Whose turn it is, of those who may have more."""
        may = [turn for turn, wish in self._waiting.items() if self._may_have(wish)]
        return min(may, key=lambda turn: self._held[self._waiting[turn].subject], default=None)

    def _may_have(self, wish: _Wish) -> bool:
        held = self._held[wish.subject]
        return not held or held + wish.size <= SHARE * self._total
