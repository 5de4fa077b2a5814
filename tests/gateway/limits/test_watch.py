"""Whoever must not be silent for too long is looked at, for as long as it is a member."""

import asyncio
import time
from collections import Counter

from gateway.limits.watch import Watch

SHORTEST = 0.04
PATIENCE = 5.0


class Member:
    """Counts the looks, and tells of the one that it was waited for."""

    def __init__(self, wanted: int = 1) -> None:
        self.looks: list[float] = []
        self.enough = asyncio.Event()
        self._wanted = wanted

    def look(self, now: float) -> None:
        self.looks.append(now)
        if len(self.looks) >= self._wanted:
            self.enough.set()


async def seen(member: Member) -> None:
    async with asyncio.timeout(PATIENCE):
        await member.enough.wait()


async def test_a_member_is_checked_repeatedly() -> None:
    watch = Watch(SHORTEST)
    member = Member(wanted=3)
    watch.add(member)
    await seen(member)
    assert member.looks == sorted(member.looks)
    watch.discard(member)


async def test_a_discarded_member_is_not_checked() -> None:
    watch = Watch(SHORTEST)
    gone, stays = Member(), Member(wanted=2)
    watch.add(gone)
    watch.add(stays)
    watch.discard(gone)
    assert len(watch) == 1
    await seen(stays)
    assert not gone.looks
    watch.discard(stays)


async def test_many_are_all_looked_at_and_never_all_at_once() -> None:
    watch = Watch(SHORTEST)
    members = [Member(wanted=2) for _ in range(200)]
    for member in members:
        watch.add(member)
    for member in members:
        await seen(member)
        watch.discard(member)
    assert max(Counter(member.looks[0] for member in members).values()) == len(members) / 10


async def test_after_all_have_left_the_next_is_looked_at_too() -> None:
    watch = Watch(SHORTEST)
    for _ in range(2):
        member = Member()
        watch.add(member)
        await seen(member)
        watch.discard(member)
        await asyncio.sleep(2 * SHORTEST)  # the timer finds nobody, and ends


async def test_a_member_that_fails_ends_no_watch() -> None:
    class Failing(Member):
        def look(self, now: float) -> None:
            super().look(now)
            raise ValueError

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    watch = Watch(SHORTEST)
    failing = Failing(wanted=3)
    watch.add(failing)
    await seen(failing)
    watch.discard(failing)


async def test_after_a_standstill_other_work_runs_before_any_member_is_checked() -> None:
    watch = Watch(shortest=4.0)  # so that a turn is a tenth of a second
    member = Member()
    watch.add(member)
    time.sleep(1.5)  # noqa: ASYNC251 - all stands still
    went_on = time.monotonic()
    await seen(member)
    watch.discard(member)
    assert member.looks[0] - went_on >= 0.1
