"""A quota decision in each design that was considered: CPU of the gateway and Redis, and tries.

`alone` is one caller, who waits for each answer; `crowd` are eight callers of one subject at once.
The script counts atomically. Rules in Python must watch the keys that they have read, and try again
if another gateway has written them. Times are CPU times, in microseconds for each decision.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import WatchError

from gateway.limits.quota import Accounts, Demand, Policy
from gateway.limits.quota_script import SCRIPT
from gateway.limits.window import slice_length
from gateway.redis.script_pipe import Answer, ScriptPipe
from gateway.stack.part import Part
from gateway.stack.ports import free_port
from gateway.stack.valkey import Valkey
from gateway.uploads import keys

DECISIONS = 4000
CROWD = 8
POLICY = Policy(requests=10**9, bytes=10**15, window=60)
DEMAND = Demand(100_000)
LENGTH = slice_length(POLICY.window)
ARGUMENTS = ("ask", LENGTH, POLICY.requests, POLICY.bytes, 0, DEMAND.need, DEMAND.declared, "", 0)

Decide = Callable[[str], Awaitable[int]]
"""Decides once for a subject; returns the number of tries."""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory:
        server = Valkey(Path(directory), free_port())
        with Part(server.command(), Path(directory)):
            asyncio.run(_measure(server.url))


async def _measure(url: str) -> None:
    async with Redis.from_url(url) as redis:
        pipe = await ScriptPipe.open(redis, SCRIPT)
        sha = await redis.script_load(SCRIPT)

        async def by_pipe(subject: str) -> int:
            answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            pipe.call(keys.quota(subject), ARGUMENTS, lambda answer, _: answered.set_result(answer))
            await answered
            return 1

        async def by_client(subject: str) -> int:
            names = keys.quota(subject)
            await redis.evalsha(sha, len(names), *names, *ARGUMENTS)
            return 1

        accounts = Accounts(POLICY)

        async def here(subject: str) -> int:
            accounts.ask(subject, DEMAND, 0, int(time.time() * 1000))
            return 1

        ways: dict[str, Decide] = {
            "this process alone": here,
            "script, own pipe": by_pipe,
            "script, redis-py's client": by_client,
            "Python's rules, WATCH and MULTI": lambda subject: _watched(redis, subject),
        }
        for name, decide in ways.items():
            for crowd in (1, CROWD):
                await _one_way(redis, name, decide, crowd)
        pipe.close()


async def _one_way(redis: Redis, name: str, decide: Decide, crowd: int) -> None:
    await redis.flushdb()
    await decide("s")
    theirs, ours = await _cpu_of(redis), time.process_time()

    async def go_on() -> int:
        return sum([await decide("s") for _ in range(DECISIONS // crowd)])

    tries = sum(await asyncio.gather(*(go_on() for _ in range(crowd))))
    ours, theirs = time.process_time() - ours, await _cpu_of(redis) - theirs
    print(
        f"{name:<32} {'alone' if crowd == 1 else 'crowd'} gateway {ours / DECISIONS * 1e6:7.1f} us"
        f"  Redis {theirs / DECISIONS * 1e6:6.1f} us  tries {tries / DECISIONS:.2f}",
        flush=True,
    )


async def _watched(redis: Redis, subject: str) -> int:
    """The same rules, applied to Redis' values without a script."""
    requests, sizes, _ = keys.quota(subject)
    tries = 0
    while True:
        tries += 1
        async with redis.pipeline() as pipe:
            await pipe.watch(requests, sizes)
            made, sent = await pipe.hgetall(requests), await pipe.hgetall(sizes)
            now = int(time.time() * 1000) // LENGTH
            assert sum(map(int, made.values())) < POLICY.requests
            assert sum(map(int, sent.values())) + DEMAND.need < POLICY.bytes
            pipe.multi()  # type: ignore[no-untyped-call]
            for key, amount in ((requests, 1), (sizes, DEMAND.declared)):
                pipe.hincrby(key, str(now), amount)
                pipe.pexpire(key, 7 * LENGTH)
            try:
                await pipe.execute()
            except WatchError:
                continue
            return tries


async def _cpu_of(redis: Redis) -> float:
    told = await redis.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


if __name__ == "__main__":
    main()
