"""One run: uploads of every end, receivers in every mood, faults, an operator; then the audit."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from chaos.answers import Ending, Outcome
from chaos.inject import Injector, Struck
from chaos.load import Load, run_load
from chaos.plan import Kind, plan
from chaos.stack import Stack, Told
from chaos.uploads import plan_uploads
from chaos.webhooks.audit import Verdict, audit
from chaos.webhooks.load import REFUSING, acknowledged, run_doomed
from chaos.webhooks.look import Left, Lookout
from chaos.webhooks.operator import Operator
from chaos.webhooks.plan import Mood, moods, plan_doomed, retried_at, share
from chaos.webhooks.receiver import Receiver, secret_of
from gateway.stack.part import PartError

MOODY: Final = "moody"
STEADY: Final = "steady"

_AHEAD: Final = 35 * 60.0
"""Seconds that seem to pass at the end: until the third attempt at a message, and a bit."""

_CLIENTS: Final = 16
_SWEEP_SECONDS: Final = 5
_KEPT_SECONDS: Final = 6 * 3600
"""Longer than any run, and than what passes at its end: dead letters are kept that long."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: so many uploads within about `seconds`."""

    seed: int
    uploads: int
    seconds: float
    faults: Sequence[Kind]


@dataclass(frozen=True, slots=True)
class Result:
    """The result. `left`: once all is well and nothing happens for a while; `settled`: seconds."""

    plan: Plan
    seconds: float
    outcomes: Sequence[Outcome]
    struck: Sequence[Struck]
    left: Left
    settled: float
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether no flaw was found, by a run that could have found any."""
        return not self.verdict.findings and not self.verdict.unproved

    @property
    def acknowledged(self) -> int:
        """The number of uploads whose clients were told that they are accepted."""
        return sum(each.ending is Ending.ACKNOWLEDGED for each in self.outcomes)


def receivers() -> dict[str, Receiver]:
    """The two endpoints: one of each format, the steady one with the secrets of a rotation."""
    return {
        MOODY: Receiver(MOODY, (secret_of("moody"),), "standard"),
        STEADY: Receiver(STEADY, (secret_of("new"), secret_of("old")), "cloudevents"),
    }


def run(planned: Plan, data_dir: Path, say: Callable[[str], None]) -> Result:
    """One run on its own stack, which is stopped at the end in any case."""
    hooks = receivers()
    tables = "".join(f"\n{receiver.table}" for receiver in hooks.values())
    settings = {
        "GATEWAY_WEBHOOK_ALLOW_HTTP": "true",
        "GATEWAY_SWEEP_INTERVAL": str(_SWEEP_SECONDS),
        "GATEWAY_ORPHAN_RETENTION": str(_KEPT_SECONDS),
    }
    with Stack(data_dir, tables, settings) as stack:
        return asyncio.run(_Run(planned, stack, hooks, say).run())


class _Run:
    def __init__(
        self,
        planned: Plan,
        stack: Stack,
        hooks: dict[str, Receiver],
        say: Callable[[str], None],
    ) -> None:
        self._plan = planned
        self._stack = stack
        self._told: Told = stack.told()
        self._hooks = hooks
        self._say = say
        self._operator = Operator(stack, say)
        self._outcomes: list[Outcome] = []
        self._started = time.monotonic()

    async def run(self) -> Result:
        async with Receiver.at_work(self._hooks):
            await self._hooks[STEADY].turn(Mood.WELL)
            return await self._run()

    async def _run(self) -> Result:
        seconds = self._plan.seconds
        well, bad = share(self._plan.uploads)
        injector = Injector(self._stack, self._told, self._say)
        load = Load(self._plan.seed, plan_uploads(self._plan.seed, well, seconds), _CLIENTS)
        doomed = plan_doomed(self._plan.seed, bad, seconds)
        await self._refuse()
        async with asyncio.TaskGroup() as group:
            group.create_task(run_load(load, self._told, self._outcomes.append))
            group.create_task(run_doomed(doomed, self._told, self._outcomes.append))
            group.create_task(self._turn())
            group.create_task(self._retry_uploads(injector))
            group.create_task(injector.run(plan(self._plan.seed, seconds, self._plan.faults)))
        took = time.monotonic() - self._started
        left, settled, verdict = await self._settle()
        if not self._stack.is_up:
            raise PartError("the stack itself came to an end")
        return Result(self._plan, took, self._outcomes, injector.struck, left, settled, verdict)

    async def _settle(self) -> tuple[Left, float, Verdict]:
        """Wait for all that comes by itself; then have the pauses of single messages pass."""
        started = time.monotonic()
        lookout = Lookout(self._told, self._say)
        left = await lookout.calm()
        settled = time.monotonic() - started
        if await lookout.dead():  # given up while the operator was at it
            await self._operator.run("webhooks", "retry")
        self._stack.front.ahead = _AHEAD
        await lookout.done()
        facts = await lookout.facts(acknowledged(self._outcomes))
        deliveries = [each for hook in self._hooks.values() for each in hook.deliveries]
        return left, settled, audit(deliveries, facts, list(self._hooks))

    async def _turn(self) -> None:
        """Change the receiver's mood; when it is back for good, an operator says so."""
        before = Mood.DOWN
        for at, mood in moods(self._plan.seconds):
            await self._until(at)
            await self._hooks[MOODY].turn(mood)
            self._say(f"{self._seconds():6.1f} s  the receiver is {mood}")
            if before is Mood.GONE:
                await self._operator.run("webhooks", "retry", MOODY)
            before = mood

    async def _retry_uploads(self, injector: Injector) -> None:
        """Have ChatKitty accept everything, and what it did not accept tried again."""
        await self._until(retried_at(self._plan.seconds))
        await injector.clear()
        await self._operator.run("uploads", "retry", "--all-failed")

    async def _refuse(self) -> None:
        """Have ChatKitty refuse the gateway's own credentials at some paths: such uploads fail."""
        rule = {"method": "POST", "path": REFUSING, "times": None, "fault": {"status": 403}}
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{self._told.sandbox}/sandbox/faults", json=[rule]) as response,
        ):
            response.raise_for_status()

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self._started + at - time.monotonic()))

    def _seconds(self) -> float:
        return time.monotonic() - self._started
