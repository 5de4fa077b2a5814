import asyncio

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.limits.budget import Budget

TOTAL = 10
LONG = 3600.0


class Upload:
    """Reserves, holds until it is told to go, and gives back."""

    def __init__(self, size: int) -> None:
        self.size = min(size, TOTAL)
        self.holds = False
        self.may_go = asyncio.Event()
        self.task: asyncio.Task[None]

    async def run(self, budget: Budget, size: int) -> None:
        async with budget.reserve(size, LONG):
            self.holds = True
            await self.may_go.wait()


class BudgetMachine(RuleBasedStateMachine):
    """Uploads come, end and are cancelled; a plain queue says who must hold what."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.budget = Budget(TOTAL)
        self.holding: list[Upload] = []
        self.waiting: list[Upload] = []

    @rule(size=st.integers(0, TOTAL + 2))
    def come(self, size: int) -> None:
        upload = Upload(size)
        upload.task = self.loop.create_task(upload.run(self.budget, size))
        self.waiting.append(upload)
        self.settle()

    @precondition(lambda self: self.holding)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        upload = data.draw(st.sampled_from(self.holding))
        self.holding.remove(upload)
        upload.may_go.set()
        self.settle()

    @precondition(lambda self: self.holding or self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        upload = data.draw(st.sampled_from(self.holding + self.waiting))
        (self.holding if upload in self.holding else self.waiting).remove(upload)
        upload.task.cancel()
        self.settle()

    @precondition(lambda self: self.holding and self.waiting)
    @rule(data=st.data())
    def cancel_in_the_same_moment_as_another_ends(self, data: st.DataObject) -> None:
        ending = data.draw(st.sampled_from(self.holding))
        cancelled = data.draw(st.sampled_from(self.waiting))
        order = data.draw(st.permutations([ending, cancelled]))
        pauses = data.draw(st.tuples(st.booleans(), st.booleans()))
        # Hypothesis may end an example at any draw: from here on there is none.
        self.holding.remove(ending)
        self.waiting.remove(cancelled)
        for upload, pause in zip(order, pauses, strict=True):
            if upload is ending:
                upload.may_go.set()
            else:
                upload.task.cancel()
            if pause:
                self.loop.run_until_complete(asyncio.sleep(0))
        self.settle()

    @invariant()
    def holders_are_those_whose_turn_it_is(self) -> None:
        assert all(upload.holds for upload in self.holding)
        assert not any(upload.holds for upload in self.waiting)

    @invariant()
    def never_more_than_there_is(self) -> None:
        assert self.budget.used == sum(upload.size for upload in self.holding) <= TOTAL

    def settle(self) -> None:
        """Let the model serve its queue in order, and the tasks do what they can."""
        while self.waiting and sum(u.size for u in self.holding) + self.waiting[0].size <= TOTAL:
            self.holding.append(self.waiting.pop(0))
        for _ in range(10):
            self.loop.run_until_complete(asyncio.sleep(0))

    def teardown(self) -> None:
        for upload in self.holding:
            upload.may_go.set()
        while self.waiting:
            self.holding = []
            self.settle()
            for upload in self.holding:
                upload.may_go.set()
        self.holding = []
        self.settle()
        assert self.budget.used == 0
        self.loop.close()


TestBudget = BudgetMachine.TestCase
