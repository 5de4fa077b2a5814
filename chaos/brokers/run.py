"""One run: uploads by two gateways while faults strike the broker, then an audit of all."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from chaos.answers import Ending, Outcome
from chaos.audit import Flaw
from chaos.brokers.engines import ENGINES, Engine
from chaos.brokers.faults import LOSES_REDIS, Fault
from chaos.load import Load, run_load
from chaos.look import Lookout
from chaos.settle import Settled, settle
from chaos.stack import ROUTES, Told
from chaos.uploads import plan_uploads
from gateway.stack.part import Command, Part
from gateway.stack.plan import CHANNEL, make_plan

_STRETCH: Final = 5.0
"""Uploads are planned for this many seconds at a time."""

_STRETCHES: Final = 10_000
"""More than any run needs."""

_EDGE: Final = 3.0
"""Seconds of uploads before the first fault and after the last one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a run: `pause` seconds lie between two faults, `rate` is uploads a second."""

    broker: str
    pool: str
    faults: Sequence[Fault]
    pause: float
    rate: float
    seed: int
    sweep_interval: float


@dataclass(frozen=True, slots=True)
class Result:
    """The result. `lived`: exit statuses of worker and beat, None if they ran to the end."""

    plan: Plan
    seconds: float
    outcomes: Sequence[Outcome]
    settled: Settled
    lived: Mapping[str, int | None]
    ended: Mapping[str, float]
    """The seconds that worker and beat took to end when they were asked to."""

    @property
    def passed(self) -> bool:
        """Whether nothing was lost, doubled or wrong, and the same worker and beat still ran."""
        alive = all(status is None for status in self.lived.values())
        return alive and not self.settled.verdict.findings and self.acknowledged > 0

    @property
    def acknowledged(self) -> int:
        """The number of acknowledged uploads."""
        return sum(each.ending is Ending.ACKNOWLEDGED for each in self.outcomes)

    def as_json(self) -> dict[str, object]:
        """As JSON members."""
        verdict, settled = self.settled.verdict, self.settled.seconds
        return {
            "passed": self.passed,
            "broker": self.plan.broker,
            "pool": self.plan.pool,
            "seed": self.plan.seed,
            "seconds": round(self.seconds, 1),
            "faults": dict(Counter(str(fault) for fault in self.plan.faults)),
            "uploads": len(self.outcomes),
            "acknowledged": self.acknowledged,
            **{flaw.value: verdict.count(flaw) for flaw in Flaw},
            "audits_lost_with_redis": verdict.audits_lost,
            "settled_after": None if settled is None else round(settled, 1),
            "exit_status": dict(self.lived),
            "stopped_after": {name: round(took, 1) for name, took in self.ended.items()},
            "findings": [
                f"{each.flaw}: {each.name}: {each.why}"
                for flaw in Flaw
                for each in [each for each in verdict.findings if each.flaw is flaw][:10]
            ],
        }


def run(plan: Plan, directory: Path, say: Callable[[str], None]) -> Result:
    """Run it in that directory, with new processes, which end with the run."""
    with ExitStack() as stack:
        # Processes that a thread starts end with that thread.
        thread = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        engine = ENGINES[plan.broker](directory, stack)
        told, workers = _start(plan, engine, directory, stack)
        started = time.monotonic()
        outcomes = asyncio.run(_torment(plan, engine, thread, told, say))
        seconds = time.monotonic() - started
        redis_forgot = engine.redis_url == engine.broker_url and any(
            fault.kind in LOSES_REDIS for fault in plan.faults
        )
        settled = asyncio.run(_settle(told, outcomes, say, redis_forgot=redis_forgot))
        lived = {part.command.name: part.exit_status for part in workers}
        ended = {part.command.name: _stop(part) for part in workers}
        return Result(plan, seconds, outcomes, settled, lived, ended)


def _start(
    plan: Plan, engine: Engine, directory: Path, stack: ExitStack
) -> tuple[Told, Sequence[Part]]:
    routes = directory / "routes.toml"
    routes.write_text(ROUTES)
    parts = make_plan(
        directory,
        0,
        2,
        {
            "GATEWAY_CONFIG": str(routes),
            "GATEWAY_REDIS_URL": engine.redis_url,
            "GATEWAY_BROKER_URL": engine.broker_url,
            "GATEWAY_UPSTREAM_TIMEOUT": "10",
            "GATEWAY_SWEEP_INTERVAL": str(plan.sweep_interval),
            "GATEWAY_ORPHAN_RETENTION": "45",
            **engine.settings,
        },
    )

    def start(commands: Sequence[Command]) -> list[Part]:
        started = [Part(command, directory / "logs") for command in commands]
        for part in started:
            stack.callback(part.stop)
        return [part.wait_ready() for part in started]

    start(parts.servers)
    workers = start([_with_pool(command, plan.pool) for command in parts.workers])
    start(parts.gateways)
    environ = parts.environ
    told = Told(
        gateway=parts.gateway_url,
        sandbox=environ["GATEWAY_UPSTREAM_URL"],
        token=parts.tokens[0][1],
        channel=CHANNEL,
        redis=engine.redis_url,
        s3_endpoint=environ["GATEWAY_S3_ENDPOINT_URL"],
        s3_bucket=environ["GATEWAY_S3_BUCKET"],
        s3_access_key_id=environ["GATEWAY_S3_ACCESS_KEY_ID"],
        s3_secret_access_key=environ["GATEWAY_S3_SECRET_ACCESS_KEY"],
    )
    return told, workers


def _with_pool(command: Command, pool: str) -> Command:
    if command.name != "worker":
        return command
    return replace(command, argv=[*command.argv, "--pool", pool])


async def _torment(
    plan: Plan, engine: Engine, thread: Executor, told: Told, say: Callable[[str], None]
) -> list[Outcome]:
    """Upload until the last fault is over; the faults happen in `thread`."""
    outcomes: list[Outcome] = []
    over = asyncio.Event()
    started = time.monotonic()
    count = max(1, round(plan.rate * _STRETCH))

    async def upload(group: asyncio.TaskGroup) -> None:
        """Upload in overlapping stretches, since faults take an unknown time."""
        number = 0
        while not over.is_set():
            uploads = plan_uploads(plan.seed * _STRETCHES + number, count, _STRETCH)
            load = Load(plan.seed * _STRETCHES + number, uploads, count)
            group.create_task(run_load(load, told, outcomes.append))
            await asyncio.sleep(_STRETCH)
            number += 1

    async def strike() -> None:
        await asyncio.sleep(_EDGE)
        for fault in plan.faults:
            say(f"{time.monotonic() - started:6.1f} s  {len(outcomes):5} uploads  {fault}")
            await asyncio.get_running_loop().run_in_executor(thread, engine.strike, fault)
            await asyncio.sleep(plan.pause)
        over.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(upload(group))
        group.create_task(strike())
    return outcomes


async def _settle(
    told: Told, outcomes: Sequence[Outcome], say: Callable[[str], None], *, redis_forgot: bool
) -> Settled:
    async with Lookout.open(told) as lookout:
        return await settle(lookout, outcomes, say, redis_forgot=redis_forgot)


def _stop(part: Part) -> float:
    started = time.monotonic()
    part.stop()
    return time.monotonic() - started
