"""The bytes of parts that one process may hold in memory at a time.

An upload takes memory as its bytes arrive, not for its announced length. If there is none, it
waits, and so does its client. No upload waits for ever. An upload frees its memory once the store
has its part, or once it ends; only a part that is being filled needs more memory before it can be
freed. So the last bytes, as many as a part has, are reserved for one upload at a time: of those
that wait, one of the subject that holds least. It can fill its part whatever the others hold; then
it is the next one's turn. An upload that is too slow loses its turn. A part that is larger than
what is reserved (of a file above 15 GiB) may exceed the total, one such part at a time.

No subject takes more than three times what it leaves for all others (the dynamic thresholds of
Choudhury and Hahne, 1998). So a subject that holds nothing gets something next to a few greedy
ones, without waiting for them. If it needs more, has waited for long, and they hold more than their
share, the slowest of their uploads is ended.

Small uploads have a share that larger ones cannot take.

What a waiting upload has read already is not counted here. It is less than a MiB, and the number
of waiting uploads is limited so that they hold no more than the total again.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from math import inf
from typing import Final, NamedTuple

from gateway.errors import BudgetExhausted
from gateway.store.parts import FIRST_PART
from gateway.telemetry import get_logger

log = get_logger(__name__)

FIRST_STEP: Final = 64 * 1024
"""Bytes that an upload holds from its beginning, before any has arrived."""

SMALL: Final = 256 * 1024
"""The largest upload that counts as small, in bytes."""

SMALL_SHARE: Final = 1 / 8
"""The share of the total that only small uploads may hold."""

SHARE: Final = 0.75
"""The share of either that one subject may hold by several uploads, if it is alone."""

_TIMES_THE_REST: Final = SHARE / (1 - SHARE)
"""One subject may hold this many times what is left, which is its share if it is alone."""

_RETRY_AFTER: Final = 2.0
_PATIENCE: Final = 30.0
"""Seconds that an upload in progress may wait for memory, while the gateway does not read from its
client.
"""

_RECLAIM_AFTER: Final = 5.0
"""Seconds that an upload may be too slow while others wait for its memory, before it is ended."""

_LOOK: Final = 0.5
"""Seconds between two searches for such uploads, while any upload waits."""

_SLOW: Final = 16 * 1024
"""Bytes a second below which an upload is too slow, if others wait for its memory."""

_SLOW_OF_MANY: Final = FIRST_PART / _PATIENCE
"""The same for the upload whose turn it is, and for the uploads of a subject that exceeds its
share: a slower part is not full before those that wait for it have to give up. It is 2.2 Mbit/s."""

_WAITS_WITH: Final = 1024**2
"""Bytes that an upload may have read before it waits: a read, and what the server buffers."""


class _Wish(NamedTuple):
    """The upload that wants memory, how many bytes, and since when it has waited for them."""

    holding: "Holding"
    size: int
    since: float = inf


class Holding:
    """What one upload holds."""

    __slots__ = (
        "_budget", "_marks", "_spare", "ended", "filling", "held", "length", "limit", "number",
        "reclaimed", "small", "subject", "waits",
    )  # fmt: skip

    def __init__(self, budget: "Budget", subject: str, length: int | None, number: int) -> None:
        self._budget = budget
        self.subject = subject
        self.length = length
        """Bytes of the whole body, None if unknown."""
        self.number = number
        """The later it began, the higher."""
        self.held = 0
        self.small = False
        """Whether it is among the small ones."""
        self._spare = 0
        """Bytes that it holds, but has not received yet."""
        self.filling = 0
        """Bytes of the part that is being filled."""
        self._marks: deque[tuple[float, int]] = deque()
        """The times at which it was checked while it did not wait, and that part's size then."""
        self.waits = False
        self.limit: asyncio.Timeout | None = None
        self.reclaimed = False
        self.ended = False

    async def take(self, size: int) -> None:
        """Hold `size` bytes more of the part that is being filled.

        Raises BudgetExhausted if they are not free in time.
        """
        missing = size - self._spare
        if missing > 0:
            if not self._budget.give(self, missing):
                await self._budget.wait(self, missing, _PATIENCE)
            self._spare = 0
        else:
            self._spare -= size
        self.filling += size

    def part_full(self) -> None:
        """The part is full and being sent, and a new one begins."""
        self.filling = 0
        self._marks.clear()
        self._budget.next_turn(self)

    def give_back(self, size: int) -> None:
        """Hold `size` bytes less: the store has them, or they are of no use."""
        if not self.ended:
            self._budget.take_back(self, size)

    async def begin(self, patience: float) -> None:
        """Hold what every upload holds from its beginning. Raises BudgetExhausted."""
        size = FIRST_STEP if self.length is None else min(self.length, FIRST_STEP)
        if not self._budget.give(self, size):
            await self._budget.wait(self, size, patience)
        self._spare = size

    def rate(self, now: float) -> float | None:
        """Bytes a second that arrived lately; None if it was not observed for long enough.

        None as well while it waits for another party than its client.
        """
        if self.waits or not self.filling:
            return None
        marks = self._marks
        if marks and now - marks[-1][0] > 2 * _RECLAIM_AFTER:
            marks.clear()  # no upload waited in between, so that time's rate says nothing
        marks.append((now, self.filling))
        while len(marks) > 1 and now - marks[1][0] >= _RECLAIM_AFTER:
            marks.popleft()
        seen, had = marks[0]
        return (self.filling - had) / (now - seen) if now - seen >= _RECLAIM_AFTER else None

    def reclaim(self) -> None:
        """End the upload, since others wait for what it holds."""
        if self.limit is not None and not self.reclaimed:
            self.reclaimed = True
            self.limit.reschedule(asyncio.get_running_loop().time())

    def begin_waiting(self) -> None:
        """It waits for another party than its client."""
        self.waits = True

    def end_waiting(self) -> None:
        """It waits for its client again."""
        self.waits = False
        self._marks.clear()


class Budget:
    """Hands out bytes of memory.

    The subject that holds least is served first; among equals, the eldest upload.
    """

    def __init__(self, total_bytes: int) -> None:
        """Hand out `total_bytes` at a time."""
        self._total = total_bytes
        self._small_total = int(total_bytes * SMALL_SHARE)
        self._large_total = total_bytes - self._small_total
        self._small = 0
        self._large = 0
        self._held: Counter[str] = Counter()
        self._held_small: Counter[str] = Counter()
        self._holdings: set[Holding] = set()
        self._waiting: dict[asyncio.Future[None], _Wish] = {}
        self._turn: Holding | None = None
        """The upload that may fill its part with the last bytes."""
        self._last = 0
        """How many of the last bytes it holds: they do not reduce the others' share."""
        self._numbers = count()
        self._looked = {True: 0.0, False: 0.0}
        """When the small uploads, and the others, were last checked."""
        self._most_waiting = total_bytes // _WAITS_WITH

    @property
    def total(self) -> int:
        """The bytes that all uploads together may hold."""
        return self._total

    @property
    def used(self) -> int:
        """Bytes that are held now."""
        return self._small + self._large

    @asynccontextmanager
    async def hold(
        self, subject: str, length: int | None, patience: float
    ) -> AsyncIterator[Holding]:
        """What an upload of `length` bytes (None: unknown) holds inside the block.

        Raises BudgetExhausted if not even its first bytes are free within `patience` seconds,
        and later if it is too slow while others wait for its memory.
        """
        holding = Holding(self, subject, length, next(self._numbers))
        self._holdings.add(holding)
        try:
            await holding.begin(patience)
            async with asyncio.timeout(None) as holding.limit:
                yield holding
        except TimeoutError:
            if not holding.reclaimed:
                raise
            log.warning("upload.reclaimed", held=holding.held)
            raise BudgetExhausted(
                "this upload was too slow while others waited for its memory", _RETRY_AFTER
            ) from None
        finally:
            self._end(holding)

    # --- what a holding asks ---------------------------------------------------------------------

    def give(self, holding: Holding, size: int) -> bool:
        """Whether the holding got `size` bytes more; it does not overtake waiting uploads."""
        wish = _Wish(holding, size)
        if self._fits_small(wish) or (not self._waiting and self._fits(wish)):
            self._grant(wish)
            return True
        return False

    async def wait(self, holding: Holding, size: int, patience: float) -> None:
        """Return once the holding has `size` bytes more. Raises BudgetExhausted."""
        wish = _Wish(holding, size, time.monotonic())
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = wish
        try:
            self._serve()
            if not turn.done():
                await self._serve_later(turn, wish, patience)
        except BaseException:
            # What was granted at this moment is freed with everything else that the upload holds.
            self._waiting.pop(turn, None)
            self._serve()
            raise

    async def _serve_later(self, turn: asyncio.Future[None], wish: _Wish, patience: float) -> None:
        # Half of the queue is for uploads in progress: new ones cannot take it.
        most = self._most_waiting if wish.holding.held else self._most_waiting // 2
        if len(self._waiting) > most:
            raise BudgetExhausted("too many uploads are waiting for memory", _RETRY_AFTER)
        deadline = wish.since + patience
        wish.holding.begin_waiting()
        try:
            while not turn.done() and (left := deadline - time.monotonic()) > 0:
                await asyncio.wait([turn], timeout=min(left, _LOOK))
                if not turn.done():
                    self._reclaim(wish)
        finally:
            wish.holding.end_waiting()
        if not turn.done():
            raise BudgetExhausted("no memory is free for this upload", _RETRY_AFTER)

    def next_turn(self, holding: Holding) -> None:
        """Pass the turn on if this holding has it: its part is full."""
        if self._turn is holding:
            self._turn, self._last = None, 0
            self._serve()

    def take_back(self, holding: Holding, size: int) -> None:
        """Free `size` bytes of the holding."""
        self._count(holding, -size)
        self._serve()

    # --- within ----------------------------------------------------------------------------------

    def _end(self, holding: Holding) -> None:
        holding.ended = True
        self._holdings.discard(holding)
        if self._turn is holding:
            self._turn, self._last = None, 0
        self.take_back(holding, holding.held)

    def _grant(self, wish: _Wish) -> None:
        holding, size, _ = wish
        small = self._fits_small(wish)
        if holding is self._turn and not small and not self._fits_among(wish):
            self._last += self._more(wish)
        if small != holding.small:  # it has outgrown the small ones
            held = holding.held
            self._count(holding, -held)
            holding.small = small
            size += held
        self._count(holding, size)

    def _count(self, holding: Holding, size: int) -> None:
        holding.held += size
        if holding.small:
            self._small += size
        else:
            self._large += size
        held = self._held_small if holding.small else self._held
        held[holding.subject] += size
        if not held[holding.subject]:
            del held[holding.subject]

    def _serve(self) -> None:
        """Grant waiting uploads their wishes in order, as far as there is memory."""
        if not self._waiting:
            return
        turns = sorted(self._waiting.items(), key=lambda each: self._rank(each[1].holding))
        if self._turn is None:
            large = [wish for _, wish in turns if not self._fits_small(wish)]
            # One that was passed over may still hold some of the last bytes.
            first = next((wish for wish in large if self._could_fill(wish)), None)
            first = first or max(large, key=lambda wish: wish.holding.filling, default=None)
            self._turn = first.holding if first is not None else None
        blocked = False
        for turn, wish in turns:
            its_turn = wish.holding is self._turn
            if self._fits_small(wish) or ((its_turn or not blocked) and self._fits(wish)):
                del self._waiting[turn]
                self._grant(wish)
                turn.set_result(None)
            elif not its_turn and self._may_have(wish):
                blocked = True  # those behind it do not pass it by, or it might never have enough

    def _rank(self, holding: Holding) -> tuple[int, int]:
        return self._held[holding.subject], holding.number

    def _fits_small(self, wish: _Wish) -> bool:
        """Whether the wish is a small upload's, and there is room in the share of those."""
        holding, size, _ = wish
        if not self._is_small(wish):
            return False
        # One of unknown length may outgrow this, and then wait with what it holds.
        most = self._small_total if holding.length is not None else self._small_total // 2
        mine = self._held_small[holding.subject] + size
        return self._small + size <= most and mine <= SHARE * self._small_total

    def _is_small(self, wish: _Wish) -> bool:
        holding, size, _ = wish
        among = holding.small or not holding.held
        return among and max(holding.held + size, holding.length or 0) <= SMALL

    def _fits(self, wish: _Wish) -> bool:
        holding = wish.holding
        if self._fits_among(wish):
            return True
        if holding is not self._turn:
            return False
        used = self._large + self._more(wish)
        return used <= self._large_total or holding.filling + wish.size > FIRST_PART

    def _fits_among(self, wish: _Wish) -> bool:
        """Whether the wish fits without the last bytes, and its subject may have as much."""
        return self._left(wish) >= 0 and self._may_have(wish)

    def _left(self, wish: _Wish) -> int:
        """What would be left for the uploads that do not have the turn."""
        used = self._large - self._last + self._more(wish)
        return self._large_total - FIRST_PART - used

    def _more(self, wish: _Wish) -> int:
        """What it would cost; an upload that outgrows the small ones takes its bytes along."""
        return wish.size + (wish.holding.held if wish.holding.small else 0)

    def _may_have(self, wish: _Wish) -> bool:
        held = self._held[wish.holding.subject]
        return not held or held + wish.size <= _TIMES_THE_REST * self._left(wish)

    def _reclaim(self, waiting: _Wish) -> None:
        """Free memory that others wait for from uploads that are too slow.

        If the upload with the turn is too slow and another one could fill its part, the turn is
        passed on. Otherwise the slowest upload is ended. If none is too slow, and a subject holds
        more than its share, its upload that holds most is ended.
        """
        now, small = time.monotonic(), self._is_small(waiting)
        if now - self._looked[small] < _LOOK:
            return
        self._looked[small] = now
        rates = {
            holding: rate
            for holding in self._holdings
            if holding.small is small and (rate := holding.rate(now)) is not None
        }
        if not small and self._pass_turn(rates):
            return
        greedy = frozenset() if small else self._greedy(now)
        slow = [
            holding
            for holding, rate in rates.items()
            if rate < (_SLOW_OF_MANY if holding.subject in greedy else _SLOW)
        ]
        stuck = [each for each in self._holdings if each.waits and each.subject in greedy]
        if slow:
            min(slow, key=lambda holding: rates[holding]).reclaim()
        elif stuck:
            max(stuck, key=lambda holding: holding.filling).reclaim()

    def _pass_turn(self, rates: Mapping[Holding, float]) -> bool:
        """Take the turn from an upload that is too slow; returns whether another one has it now."""
        if self._turn is None or rates.get(self._turn, inf) >= _SLOW_OF_MANY:
            return False
        fit = [wish.holding for wish in self._waiting.values() if self._could_fill(wish)]
        if not fit:
            return False
        self._turn, self._last = min(fit, key=self._rank), 0
        self._serve()
        return True

    def _could_fill(self, wish: _Wish) -> bool:
        """Whether the rest of its part fits into all that is left, the last bytes included."""
        if self._is_small(wish):
            return False
        missing = max(wish.size, FIRST_PART - wish.holding.filling)
        return self._large + missing <= self._large_total

    def _greedy(self, now: float) -> frozenset[str]:
        """Subjects that hold more than one subject's share by several uploads.

        A subject's only upload is never ended for that. None if no subject that holds less has
        waited for long. Parts that are being sent to the store are freed soon, and do not count.
        """
        least = min(
            (
                self._held[wish.holding.subject]
                for wish in self._waiting.values()
                if now - wish.since >= _RECLAIM_AFTER
            ),
            default=self._total,
        )
        large = [each for each in self._holdings if not each.small]
        share = self._large / max(1, len({each.subject for each in large}))
        filled: Counter[str] = Counter()
        uploads: Counter[str] = Counter()
        for each in large:
            filled[each.subject] += each.filling
            uploads[each.subject] += each.filling > 0
        return frozenset(
            subject
            for subject, size in filled.items()
            if size > max(share, least) and uploads[subject] > 1
        )
