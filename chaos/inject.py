"""Makes the faults happen, each at its time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

import aiohttp
import psutil
from redis.asyncio import Redis
from redis.exceptions import RedisError

from chaos.plan import Fault, rule_of
from chaos.stack import Stack, Told

_PATIENCE: Final = 5.0
"""Seconds that a fault waits for its part; then it has missed."""

_LOOK_SECONDS = 0.1
_CALL_SECONDS = 2.0
_CLEAR_SECONDS = 60.0


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that was tried, its time (seconds after the start), and whether its part existed."""

    at: float
    fault: Fault
    hit: bool


class Missed(Exception):
    """The part that a fault should strike does not exist."""


class Injector:
    """Strikes the parts of a running stack."""

    def __init__(self, stack: Stack, told: Told, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._told = told
        self._say = say
        self.struck: list[Struck] = []

    async def run(self, faults: Sequence[tuple[float, Fault]]) -> None:
        """Make each fault happen at its time; return when the last one is over."""
        started = time.monotonic()

        async def strike(at: float, fault: Fault) -> None:
            await asyncio.sleep(started + at - time.monotonic())
            try:
                await self._strike(fault)
            except Missed:
                self._note(started, fault, hit=False)
            else:
                self._note(started, fault, hit=True)

        async with asyncio.TaskGroup() as group:
            for at, fault in faults:
                group.create_task(strike(at, fault))

    async def clear(self) -> None:
        """End the faults of the upstream and the store."""
        self._stack.front.clear()
        with suppress(Missed):
            await _eventually(self._delete_rules, _CLEAR_SECONDS)

    def _note(self, started: float, fault: Fault, *, hit: bool) -> None:
        struck = Struck(time.monotonic() - started, fault, hit)
        self.struck.append(struck)
        self._say(f"{struck.at:6.1f} s  {fault}{'' if hit else ': nothing there to strike'}")

    async def _strike(self, fault: Fault) -> None:
        match fault.kind.action:
            case "kill":
                await self._kill(fault)
            case "stop" | "stall":
                await self._stop(fault)
            case "store":
                for number in range(fault.times):
                    self._stack.front.delay(
                        fault.seconds, answer=number / fault.times >= fault.pick
                    )
            case "flushall":
                await _eventually(self._flush)
            case _:
                await _eventually(lambda: self._put_rule(fault))

    async def _kill(self, fault: Fault) -> None:
        process = await self._victim(fault)
        with suppress(psutil.NoSuchProcess):
            process.kill()

    async def _stop(self, fault: Fault) -> None:
        process = await self._victim(fault)
        # Another fault may kill it in the meantime; its successor has another identity.
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            try:
                await asyncio.sleep(fault.seconds)
            finally:
                process.resume()

    async def _victim(self, fault: Fault) -> psutil.Process:
        async def found() -> psutil.Process:
            processes = self._stack.processes(fault.kind.part)
            if not processes:
                raise Missed
            return processes[int(fault.pick * len(processes))]

        return await _eventually(found)

    async def _flush(self) -> None:
        client = Redis.from_url(self._told.redis, socket_timeout=_CALL_SECONDS)
        try:
            await client.flushall()
        except (RedisError, OSError) as error:
            raise Missed from error
        finally:
            await client.aclose()

    async def _put_rule(self, fault: Fault) -> None:
        await self._control("PUT", [rule_of(fault)])

    async def _delete_rules(self) -> None:
        await self._control("DELETE", None)

    async def _control(self, method: str, rules: list[dict[str, object]] | None) -> None:
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        url = f"{self._told.sandbox}/sandbox/faults"
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(method, url, json=rules) as response,
            ):
                response.raise_for_status()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Missed from error


async def _eventually(
    attempt: Callable[[], Awaitable[Result]], patience: float = _PATIENCE
) -> Result:
    """The result of `attempt`, which is repeated while it raises Missed; at last, raises that."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return await attempt()
        except Missed:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(_LOOK_SECONDS)
