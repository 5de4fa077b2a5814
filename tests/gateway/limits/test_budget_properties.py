"""Whatever is uploaded together, all come to their end, and never is more held than there is."""

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.budget import Budget, Holding
from gateway.store.parts import FIRST_PART, PARTS_IN_FLIGHT
from tests.examples import examples

MIB = 1024**2
TOTAL = 32 * MIB
STEP = MIB // 2

uploads = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.one_of(st.integers(1, 300_000), st.integers(1, 40 * MIB), st.just(7 * MIB)),
        st.booleans(),
    ),
    min_size=1,
    max_size=16,
)


class Store:
    """Takes parts, each some turns of the loop later."""

    def __init__(self, budget: Budget, chance: random.Random) -> None:
        self.budget = budget
        self.chance = chance

    async def pause(self) -> None:
        assert self.budget.used <= TOTAL
        for _ in range(self.chance.randint(0, 6)):
            await asyncio.sleep(0)

    async def take(self, memory: Holding, size: int) -> None:
        await self.pause()
        memory.give_back(size)

    async def upload(self, subject: str, size: int, told: bool) -> None:
        """As the writer of objects does it: one part is filled, two are on their way."""
        async with self.budget.hold(subject, size if told else None, 3600.0) as memory:
            in_flight: set[asyncio.Task[None]] = set()
            while size:
                part = min(size, FIRST_PART)
                for at in range(0, part, STEP):
                    await memory.take(min(STEP, part - at))
                    await self.pause()
                size -= part
                memory.part_full()
                if len(in_flight) == PARTS_IN_FLIGHT:
                    _, in_flight = await asyncio.wait(
                        in_flight, return_when=asyncio.FIRST_COMPLETED
                    )
                in_flight.add(asyncio.create_task(self.take(memory, part)))
            await asyncio.gather(*in_flight)


@examples(60)
@given(uploads, st.integers(0, 10**6))
def test_all_uploads_finish(together: list[tuple[str, int, bool]], seed: int) -> None:
    async def run() -> None:
        budget = Budget(TOTAL)
        store = Store(budget, random.Random(seed))
        tasks = [asyncio.create_task(store.upload(*each)) for each in together]
        stopped, before, turns = 0, -1, 0
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            turns += 1
            # Nobody waits for the clock: turns in which nothing changes are the end.
            stopped = stopped + 1 if budget.used == before else 0
            before = budget.used
            assert stopped < 2000, f"{budget.used} bytes are held, and nobody goes on"
        await asyncio.gather(*tasks)
        assert budget.used == 0

    asyncio.run(run())
