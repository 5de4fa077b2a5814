"""A greedy subject and a modest one, with the same quotas: does the modest one notice?

`python -m bench.greedy` has the modest one upload alone, then together with a greedy one, which
sends 10,000 requests a minute, whatever it is answered. It exits with 1 if an upload of the modest
one fails, or if its p99 more than doubles.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from bench.load import around
from bench.sides import TOKEN, Bench, Side

GREEDY = "greedy-token"
PER_MINUTE = 10_000
MODEST_PER_MINUTE = 600
QUOTA = 1_200
"""The requests a minute that each of the two may make."""

SIZE = 100 * 1024
CONNECTIONS = 16
"""The greedy one spreads its requests over this many connections."""

LARGEST_RATIO = 2.0


@dataclass
class Answers:
    """The statuses of one subject's answers, and the seconds until each."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def __iadd__(self, more: "Answers") -> Self:
        self.statuses += more.statuses
        self.seconds += more.seconds
        return self

    def p(self, percent: int) -> float:
        """The percentile, in milliseconds."""
        return 1000 * statistics.quantiles(self.seconds, n=100, method="inclusive")[percent - 1]

    def __str__(self) -> str:
        counted = ", ".join(f"{number} x {status}" for status, number in self.statuses.items())
        return f"{counted}; p50 {self.p(50):.1f} ms, p99 {self.p(99):.1f} ms"


def main() -> None:
    """Measure, print, and report whether the modest one was disturbed."""
    options = _options()
    good = True
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        bench = Bench(stack, Path(directory))
        for engine in options.engines:
            settings = {
                "GATEWAY_ENGINE": engine,
                "GATEWAY_AUTH_STATIC_TOKENS": f"modest:{TOKEN},greedy:{GREEDY}",
                "GATEWAY_SUBJECT_REQUESTS": str(QUOTA),
                "GATEWAY_SUBJECT_UPLOADS": str(CONNECTIONS),
                "GATEWAY_LOG_LEVEL": "warning",
            }
            side = bench.gateway(f"gateway {engine}", settings)
            good &= asyncio.run(_compare(side, options.rounds, options.seconds))
    sys.exit(0 if good else 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--engines", nargs="+", default=["fast", "plain"])
    return parser.parse_args()


async def _compare(side: Side, rounds: int, seconds: float) -> bool:
    """Alternate between alone and together, so that the machine's state is the same for both."""
    await _send(side.url, TOKEN, MODEST_PER_MINUTE, 1, 2.0)  # fills caches, pools and scripts
    alone, beside, greedy = Answers(), Answers(), Answers()
    used = 0.0
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for _ in range(rounds):
            alone += await _send(side.url, TOKEN, MODEST_PER_MINUTE, 1, seconds)
            before = side.cpu_seconds()
            # A separate process: the modest one must not wait for the work of this one.
            sending = asyncio.wrap_future(pool.submit(_be_greedy, side.url, seconds))
            beside += await _send(side.url, TOKEN, MODEST_PER_MINUTE, 1, seconds)
            greedy += await sending
            used += side.cpu_seconds() - before
    ratio = beside.p(99) / alone.p(99)
    print(f"{side.name}: modest alone   {alone}")
    print(f"{side.name}: modest beside  {beside}; p99 {ratio:.2f} x")
    print(f"{side.name}: greedy         {greedy}; the gateway used {used / rounds / seconds:.0%}")
    return set(beside.statuses) == {200} and ratio <= LARGEST_RATIO


def _be_greedy(url: str, seconds: float) -> Answers:
    return asyncio.run(_send(url, GREEDY, PER_MINUTE, CONNECTIONS, seconds))


async def _send(url: str, token: str, per_minute: int, connections: int, seconds: float) -> Answers:
    """Send uploads at a steady rate over `connections`, each of which waits for its answers."""
    answers = Answers()
    pause = 60 / per_minute * connections
    async with asyncio.TaskGroup() as group:
        for number in range(connections):
            begin = time.perf_counter() + pause * number / connections
            group.create_task(_client(url, token, answers, begin, pause, seconds))
    return answers


async def _client(
    url: str, token: str, answers: Answers, begin: float, pause: float, seconds: float
) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    due = begin
    while due < begin + seconds:
        await asyncio.sleep(due - time.perf_counter())
        before, after = around(str(address.hostname), token, SIZE)
        started = time.perf_counter()
        writer.write(before + bytes(SIZE) + after)
        status = await _status(reader)
        answers.seconds.append(time.perf_counter() - started)
        answers.statuses[status] += 1
        due += pause
    writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    """The status of an answer, which is read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    _, _, rest = head.lower().partition(b"content-length:")
    await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    return int(head.split(b" ", 2)[1])


if __name__ == "__main__":
    main()
