"""Requests of the same moment share a call; each gets its own answer, or the call's error."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.redis.sharing import SharedCalls

LARGEST = 4


class Server:
    """Doubles numbers, none above a hundred; `calls` has what it was asked together."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.answering = asyncio.Event()
        self.answering.set()

    async def double(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        await self.answering.wait()
        if max(numbers) > 100:
            raise ValueError("too large")
        return [2 * number for number in numbers]


async def test_requests_of_one_moment_share_calls_of_bounded_size() -> None:
    server = Server()
    shared = SharedCalls(server.double, LARGEST)
    assert await asyncio.gather(*map(shared.ask, range(10))) == list(range(0, 20, 2))
    assert server.calls == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert await shared.ask(21) == 42
    assert server.calls[-1] == [21]


async def test_requests_that_arrive_during_a_call_share_the_next() -> None:
    server = Server()
    shared = SharedCalls(server.double, LARGEST)
    server.answering.clear()
    asking = [asyncio.create_task(shared.ask(1))]
    while not server.calls:
        await asyncio.sleep(0)
    asking += [asyncio.create_task(shared.ask(number)) for number in (2, 3)]
    await asyncio.sleep(0)
    server.answering.set()
    assert await asyncio.gather(*asking) == [2, 4, 6]
    assert server.calls == [[1], [2, 3]]


async def test_an_error_is_that_of_one_call() -> None:
    server = Server()
    shared = SharedCalls(server.double, LARGEST)
    found = await asyncio.gather(*map(shared.ask, (1, 2, 3, 101, 5)), return_exceptions=True)
    assert [type(each) for each in found] == [ValueError] * 4 + [int]
    assert await shared.ask(7) == 14


async def test_after_an_error_all_that_wait_are_called_for_at_once() -> None:
    """A frozen server lets each call time out: nobody waits for several of them in turn."""
    calls: list[asyncio.Future[list[int]]] = []

    def call(_: Sequence[int]) -> asyncio.Future[list[int]]:
        calls.append(asyncio.get_running_loop().create_future())
        return calls[-1]

    shared = SharedCalls(call, LARGEST)
    asking = [asyncio.create_task(shared.ask(number)) for number in range(2 * LARGEST + 1)]
    while not calls:
        await asyncio.sleep(0)
    calls[0].set_exception(TimeoutError())
    found = await asyncio.gather(*asking[:LARGEST], return_exceptions=True)
    assert [type(each) for each in found] == [TimeoutError] * LARGEST
    while len(calls) < 3:  # the second has not been answered
        await asyncio.sleep(0)
    calls[2].set_result([3])
    assert await asking[-1] == 3
    calls[1].set_result([2] * LARGEST)
    assert await asyncio.gather(*asking[LARGEST:-1]) == [2] * LARGEST


async def test_a_cancelled_caller_does_not_cost_others_their_answer() -> None:
    server = Server()
    shared = SharedCalls(server.double, LARGEST)
    for too_large in (0, 101):
        server.answering.clear()
        leaving, staying = (asyncio.create_task(shared.ask(each)) for each in (too_large, 5))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        server.answering.set()
        if too_large:
            with pytest.raises(ValueError, match="too large"):
                await staying
        else:
            assert await staying == 10
