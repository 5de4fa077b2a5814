import asyncio

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.limits.budget import SHARE, Budget

TOTAL = 10
LONG = 3600.0


class Upload:
    """Reserves, holds until it is told to go, and gives back."""

    def __init__(self, size: int, subject: str) -> None:
        self.subject = subject
        self.size = min(size, TOTAL)
        self.holds = False
        self.may_go = asyncio.Event()
        self.task: asyncio.Task[None]

    async def run(self, budget: Budget, size: int) -> None:
        async with budget.reserve(size, LONG, self.subject):
            self.holds = True
            await self.may_go.wait()


class BudgetMachine(RuleBasedStateMachine):
    """Uploads come, end and are cancelled; a plain model says who must hold what."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.budget = Budget(TOTAL)
        self.holding: list[Upload] = []
        self.waiting: list[Upload] = []

    @rule(size=st.integers(0, TOTAL + 2), subject=st.sampled_from("abc"))
    def come(self, size: int, subject: str) -> None:
        upload = Upload(size, subject)
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
        """Let the model serve its queue, and the tasks do what they can."""
        while (upload := self.next()) is not None:
            self.waiting.remove(upload)
            self.holding.append(upload)
        for _ in range(10):
            self.loop.run_until_complete(asyncio.sleep(0))

    def next(self) -> Upload | None:
        """Whose turn it is, if there is room: the first of those whose subject holds least."""
        may = [upload for upload in self.waiting if self.may_have(upload)]
        upload = next(iter(sorted(may, key=lambda each: self.held(each.subject))), None)
        used = sum(upload.size for upload in self.holding)
        return upload if upload is not None and used + upload.size <= TOTAL else None

    def may_have(self, upload: Upload) -> bool:
        held = self.held(upload.subject)
        return held == 0 or held + upload.size <= SHARE * TOTAL

    def held(self, subject: str) -> int:
        return sum(upload.size for upload in self.holding if upload.subject == subject)

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
