import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.errors import BudgetExhausted
from gateway.limits.budget import Budget

LONG = 60.0
ALICE, BOB = "alice", "bob"


async def test_what_is_reserved_is_given_back_even_by_an_error():
    budget = Budget(100)
    with pytest.raises(ZeroDivisionError):
        await fail_while_holding(budget, 60)
    assert budget.used == 0


async def test_more_than_there_is_at_all_is_all_of_it():
    budget = Budget(100)
    async with budget.reserve(1_000, LONG, ALICE):
        assert budget.used == 100


async def test_whoever_finds_none_within_their_patience_is_told_when_to_come_back():
    budget = Budget(100)
    async with budget.reserve(100, LONG, ALICE):
        with pytest.raises(BudgetExhausted) as refusal:
            async with budget.reserve(1, 0.01, ALICE):
                pytest.fail("there was nothing left")
        assert refusal.value.retry_after > 0
    assert budget.used == 0


async def test_no_patience_still_takes_what_is_free():
    budget = Budget(100)
    async with budget.reserve(100, 0.0, ALICE):
        assert budget.used == 100


async def test_a_large_one_that_gives_up_lets_the_small_ones_behind_it_in():
    budget = Budget(100)
    async with budget.reserve(50, LONG, ALICE):
        large = asyncio.create_task(hold(budget, 100, 0.01))
        await asyncio.sleep(0)
        async with budget.reserve(50, LONG, BOB):
            assert budget.used == 100
        with pytest.raises(BudgetExhausted):
            await large
    assert budget.used == 0


async def test_a_turn_that_comes_with_the_cancellation_is_not_lost():
    budget = Budget(100)
    async with budget.reserve(100, LONG, ALICE):
        waiting = asyncio.create_task(hold(budget, 100, LONG))
        await asyncio.sleep(0)
    waiting.cancel()  # its turn has come, but it has not run since
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert budget.used == 0
    async with budget.reserve(100, 0.0, ALICE):
        assert budget.used == 100


async def test_a_cancelled_one_is_passed_over_before_it_has_noticed():
    budget = Budget(100)
    async with budget.reserve(100, LONG, ALICE):
        first = asyncio.create_task(hold(budget, 100, LONG))
        second = asyncio.create_task(hold(budget, 70, LONG))
        await asyncio.sleep(0)
        first.cancel()
    assert budget.used == 70
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert budget.used == 0


async def test_one_subject_never_has_so_much_that_others_find_nothing():
    budget = Budget(100)
    async with budget.reserve(40, LONG, ALICE), budget.reserve(35, LONG, ALICE):
        with pytest.raises(BudgetExhausted):
            await hold(budget, 1, 0.01)
        await hold(budget, 25, 0.01, BOB)


async def test_who_holds_nothing_goes_before_who_came_first_but_holds_some():
    budget = Budget(100)
    async with AsyncExitStack() as rest:
        await rest.enter_async_context(budget.reserve(20, LONG, ALICE))
        async with budget.reserve(80, LONG, "carol"):
            alice = asyncio.create_task(hold(budget, 50, LONG, ALICE))
            await asyncio.sleep(0)
            bob = asyncio.create_task(hold(budget, 70, LONG, BOB))
            await asyncio.sleep(0)
        assert budget.used == 20 + 70
        await bob
        await alice


async def hold(budget: Budget, size: int, patience: float, subject: str = ALICE) -> None:
    async with budget.reserve(size, patience, subject):
        pass


async def fail_while_holding(budget: Budget, size: int) -> None:
    async with budget.reserve(size, LONG, ALICE):
        assert budget.used == size
        raise ZeroDivisionError
