import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest

from gateway.errors import BudgetExhausted
from gateway.limits import budget as module
from gateway.limits.budget import FIRST_STEP, SHARE, SMALL, Budget
from gateway.store.parts import FIRST_PART

LONG = 60.0
MIB = 1024**2
ALICE, BOB, CAROL = "alice", "bob", "carol"


@pytest.fixture
async def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that passes only while all tasks wait, so that rates do not depend on the machine."""
    loop = asyncio.get_running_loop()
    selector = vars(loop)["_selector"]
    select, now = selector.select, loop.time()

    def pass_time(timeout: float | None) -> Sequence[object]:
        nonlocal now
        events: Sequence[object] = select(0)
        now += 0.0 if events or timeout is None else timeout
        return events

    monkeypatch.setattr(selector, "select", pass_time)
    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))


async def test_an_upload_holds_memory_for_what_arrived_and_frees_all_of_it() -> None:
    budget = Budget(32 * MIB)
    async with budget.hold(ALICE, None, LONG) as memory:
        assert budget.used == FIRST_STEP
        await memory.take(FIRST_STEP)
        assert budget.used == FIRST_STEP
        await memory.take(MIB)
        assert budget.used == FIRST_STEP + MIB
        memory.give_back(MIB)
        assert budget.used == FIRST_STEP
    assert budget.used == 0


async def test_memory_is_freed_even_after_an_error() -> None:
    budget = Budget(32 * MIB)
    with pytest.raises(ZeroDivisionError):
        await fail_while_holding(budget)
    assert budget.used == 0


async def test_a_small_upload_holds_no_more_than_it_is_large() -> None:
    budget = Budget(32 * MIB)
    async with budget.hold(ALICE, 70, LONG) as memory:
        await memory.take(70)
        assert budget.used == 70


async def test_announced_lengths_block_no_other_uploads() -> None:
    budget = Budget(32 * MIB)
    async with AsyncExitStack() as slow:
        for subject in (ALICE, BOB) * 20:
            memory = await slow.enter_async_context(budget.hold(subject, 10**10, LONG))
            await memory.take(600)
        async with budget.hold(CAROL, MIB, 0.0) as memory:
            await memory.take(MIB)


async def test_a_small_upload_finds_room_while_large_ones_hold_all_they_can() -> None:
    budget = Budget(32 * MIB)
    async with AsyncExitStack() as full:
        held = await fill(budget, full)
        with pytest.raises(BudgetExhausted) as refusal:
            async with budget.hold(CAROL, SMALL + 1, 0.01):
                pytest.fail("there was nothing left")
        assert refusal.value.retry_after > 0
        for length in (SMALL, None):
            async with budget.hold(CAROL, length, 0.0) as memory:
                await memory.take(SMALL)
        assert budget.used == held


async def test_one_subject_never_has_so_much_that_others_find_nothing() -> None:
    budget = Budget(64 * MIB)
    tasks = [asyncio.create_task(take_and_stay(budget, ALICE, 7 * MIB)) for _ in range(20)]
    await turns()
    held = budget.used
    assert held <= SHARE * 56 * MIB + FIRST_PART
    async with budget.hold(BOB, 10**8, 0.0) as memory:
        await asyncio.wait_for(memory.take(5 * MIB), LONG)
        assert budget.used == held + 5 * MIB
    await cancel(tasks)
    assert budget.used == 0


async def test_waiting_in_vain_returns_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    budget = Budget(32 * MIB)
    async with AsyncExitStack() as full:
        await fill(budget, full)
        with pytest.raises(BudgetExhausted) as refusal:
            async with budget.hold(CAROL, 10**8, 0.0) as memory:
                await memory.take(FIRST_STEP)
        assert refusal.value.retry_after > 0


async def test_no_more_wait_than_may_have_read_as_much_again() -> None:
    budget = Budget(32 * MIB)
    async with AsyncExitStack() as full:
        await fill(budget, full)
        tasks = [asyncio.create_task(hold(budget, str(at))) for at in range(40)]
        await turns()
        refused = [task.exception() for task in tasks if task.done()]
        assert len(refused) == 40 - 16
        assert all(isinstance(each, BudgetExhausted) for each in refused)
        await cancel(tasks)


async def test_a_turn_that_comes_with_the_cancellation_is_not_lost() -> None:
    budget = Budget(32 * MIB)
    async with AsyncExitStack() as rest:
        async with AsyncExitStack() as full:
            await fill(budget, full)
            second = asyncio.create_task(hold(budget, CAROL))
            third = asyncio.create_task(hold(budget, "dave"))
            await asyncio.sleep(0)
        second.cancel()  # its turn has come, but it has not run since
        with pytest.raises(asyncio.CancelledError):
            await second
        await third
        await rest.enter_async_context(budget.hold(CAROL, 10**8, 0.0))
    assert budget.used == 0


@pytest.mark.usefixtures("virtual_time")
async def test_slowest_upload_is_ended_for_waiting_ones() -> None:
    budget = Budget(32 * MIB)
    slow = [asyncio.create_task(take_and_stay(budget, name, 7 * MIB)) for name in "abcd"]
    await turns()
    async with budget.hold(ALICE, 10**8, LONG) as memory:
        for _ in range(16):
            await memory.take(MIB)
            memory.part_full()
    ended = [task.exception() for task in slow if task.done()]
    assert ended
    assert all(isinstance(each, BudgetExhausted) for each in ended)
    await cancel(slow)
    assert budget.used == 0


async def test_waiting_for_store_or_memory_is_not_a_slow_client() -> None:
    budget = Budget(32 * MIB)
    async with budget.hold(ALICE, 10**8, LONG) as memory:
        await memory.take(MIB)
        assert memory.rate(100.0) is None
        assert memory.rate(103.0) is None
        await memory.take(MIB)
        assert memory.rate(107.0) == MIB / 7
        assert memory.rate(109.0) == MIB / 6
        memory.waits = True
        assert memory.rate(110.0) is None
        memory.waits = False
        assert memory.rate(130.0) is None  # nobody has looked for too long
        assert memory.rate(135.0) == 0
        memory.part_full()
        assert memory.rate(140.0) is None


async def test_new_subject_finds_memory_next_to_greedy_ones() -> None:
    budget = Budget(32 * MIB)
    names = [name for name in (ALICE, BOB, "dave") for _ in range(6)]
    tasks = [asyncio.create_task(take_and_stay(budget, name, 6 * MIB)) for name in names]
    await turns()
    async with budget.hold(CAROL, 10**8, 0.0) as memory:
        await asyncio.wait_for(memory.take(2 * FIRST_STEP), LONG)
    await cancel(tasks)


@pytest.mark.usefixtures("virtual_time")
@pytest.mark.parametrize("per_look", [600, 2_000])
async def test_greedy_subjects_yield_memory_to_others(per_look: int) -> None:
    """Whether their uploads hardly arrive, or are merely too slow to wait for."""
    budget = Budget(32 * MIB)
    greedy = [
        asyncio.create_task(dawdle(budget, name, per_look))
        for name in (ALICE, BOB)
        for _ in "123456"
    ]
    single = asyncio.create_task(dawdle(budget, "dave", 2_000, burst=MIB))
    await turns()
    async with budget.hold(CAROL, 10**8, 0.0) as memory:
        for _ in range(20 * 16):
            await memory.take(FIRST_STEP)
            if memory.filling == FIRST_PART:
                memory.part_full()
                memory.give_back(FIRST_PART)
    ended = [task.exception() for task in greedy if task.done()]
    assert ended
    assert all(isinstance(each, BudgetExhausted) for each in ended)
    assert not single.done()  # it comes, and its subject has no other
    await cancel([*greedy, single])
    assert budget.used == 0


async def test_no_subject_is_greedy_unless_another_has_less() -> None:
    budget = Budget(32 * MIB)
    tasks = [asyncio.create_task(take_and_stay(budget, ALICE, 7 * MIB)) for _ in range(6)]
    await turns()
    later = time.monotonic() + LONG
    assert budget._greedy(later) == frozenset()
    tasks.append(asyncio.create_task(take_and_stay(budget, BOB, 20 * MIB)))
    await turns()
    assert budget._greedy(time.monotonic()) == frozenset()  # who has less has not waited yet
    assert budget._greedy(later) == {ALICE}
    await cancel(tasks)


async def hold(budget: Budget, subject: str) -> None:
    async with budget.hold(subject, 10**8, LONG) as memory:
        await memory.take(FIRST_STEP)


async def fail_while_holding(budget: Budget) -> None:
    async with budget.hold(ALICE, None, LONG) as memory:
        await memory.take(MIB)
        raise ZeroDivisionError


async def take_and_stay(budget: Budget, subject: str, size: int) -> None:
    async with budget.hold(subject, 10**8, LONG) as memory:
        for _ in range(0, size, FIRST_STEP):
            await memory.take(FIRST_STEP)
        await asyncio.sleep(LONG)


async def dawdle(budget: Budget, subject: str, per_look: int, burst: int = 6 * MIB) -> None:
    async with budget.hold(subject, 10**8, LONG) as memory:
        for _ in range(0, burst, FIRST_STEP):
            await memory.take(FIRST_STEP)
        while True:
            await asyncio.sleep(0.02)
            await memory.take(per_look)


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def turns() -> None:
    for _ in range(5000):
        await asyncio.sleep(0)


async def fill(budget: Budget, stack: AsyncExitStack) -> int:
    """Have uploads hold all of 32 MiB but what is for small ones, or for the last of them."""
    for subject in ("e", "f", "g"):
        memory = await stack.enter_async_context(budget.hold(subject, 10**8, LONG))
        for _ in range(0, FIRST_PART, FIRST_STEP):
            await memory.take(FIRST_STEP)
    for at in range(2 * budget.total // FIRST_STEP):  # each finds something, until nothing is left
        try:
            await stack.enter_async_context(budget.hold(f"h{at}", 10**8, 0.0))
        except BudgetExhausted:
            break
    return budget.used
