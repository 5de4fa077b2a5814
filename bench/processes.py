"""How the gateway scales with its processes, and what sharing ports and counts costs.

Sharing: CPU for each request of one process, and of several on the same core. Growth: requests a
second of several processes on all cores. Load and upstream need a part of the cores too, so what
counts is the number of requests for each second of the gateway's own CPU, compared with one
process. In all of them, metrics, records and quotas are shared.
"""

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.load import Load, run_load
from bench.sides import TOKEN, Bench, Side, use_all_cores

SIZE = 100 * 1024
UPLOADS = 1600
CONNECTIONS = 4
"""For each process, if the kernel is fair: with more connections, a process needs less per request.
"""


@dataclass
class Turns:
    """The results of one side's rounds."""

    cost: list[float] = field(default_factory=list)
    """CPU milliseconds for each request."""

    rate: list[float] = field(default_factory=list)
    """Requests a second."""

    def __str__(self) -> str:
        return (
            f"{statistics.median(self.cost):.3f} ms/request,"
            f" {statistics.median(self.rate):.0f} requests/s"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2, 4])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        bench = Bench(stack, Path(directory))
        settings = {"GATEWAY_LOG_LEVEL": "warning", "GATEWAY_SUBJECT_REQUESTS": "1000000"}
        sides = {
            count: bench.gateway(f"{count} processes", settings, count)
            for count in options.processes
        }
        print("all on one core:")
        _print(_compare(sides, options.rounds))
        use_all_cores()
        print(f"on all {psutil.cpu_count()} cores:")
        _print(_compare(sides, options.rounds))


def _compare(sides: dict[int, Side], rounds: int) -> dict[int, Turns]:
    found = {count: Turns() for count in sides}
    for number in range(rounds + 1):
        for count, side in sides.items():
            load = Load(SIZE, UPLOADS, CONNECTIONS * count)
            before = side.cpu_seconds()
            seconds = run_load(side.url, load, TOKEN)
            if number:  # the first round fills caches and pools
                used = side.cpu_seconds() - before
                found[count].cost.append(1000 * used / UPLOADS)
                found[count].rate.append(UPLOADS / seconds)
    return found


def _print(found: dict[int, Turns]) -> None:
    alone = statistics.median(next(iter(found.values())).cost)
    for count, turns in found.items():
        ratio = statistics.median(turns.cost) / alone
        print(f"  {count} processes: {turns}; {ratio:.2f} x the CPU of one's", flush=True)


if __name__ == "__main__":
    main()
