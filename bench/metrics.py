"""Counting and scraping by our metrics and by prometheus_client's multiprocess mode, in one run.

Both count the metrics of the catalogue in `--processes` processes, in files in memory. Each process
is killed and started again `--restarts` times; the cost and the content of a scrape are measured
before and after. Times are CPU times, per call or per scrape; the lowest of several rounds counts.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any, Literal

from gateway.metrics.catalogue import ALL, RECEIVED, REQUEST_SECONDS
from gateway.metrics.exposition import registry_of
from gateway.metrics.instruments import Metric, MetricType
from gateway.metrics.shared import Shared

CALLS = 100_000
ROUNDS = 5
SCRAPES = 20
VALUES = ("relay", "external", "other")
"""This many values for each label that has no fixed values."""

Call = Callable[[], object]
_OF_CLIENT = "PROMETHEUS_MULTIPROC_DIR"
_KINDS: dict[MetricType, Literal["livesum", "livemax"]] = {
    MetricType.SUM: "livesum",
    MetricType.MOST: "livemax",
}


def main() -> None:
    """Measure both, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--be", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--timed", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be:
        count, observe = SIDES[options.be][0](options.directory)
        if options.timed:
            _time("count", count)
            _time("observe", observe)
        print("ready", flush=True)
        signal.pause()
    for side, (_, scrape) in SIDES.items():
        print(f"\n{side}")
        with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
            _measure(side, scrape, Path(directory), options.processes, options.restarts)


def _measure(
    side: str, scrape: Callable[[Path], bytes], directory: Path, count: int, restarts: int
) -> None:
    with _process(side, directory, "--timed") as said:
        print(said, end="")
    for killed in (0, restarts):
        for _ in range(killed):
            for _ in range(count):
                with _process(side, directory):
                    pass
        with ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(_process(side, directory))
            files = list(directory.iterdir())
            size = sum(file.stat().st_blocks for file in files) // 2
            before = time.process_time()
            for _ in range(SCRAPES):
                scraped = scrape(directory)
            taken = (time.process_time() - before) / SCRAPES * 1000
        print(
            f"  {1 + killed * count} killed, {count} alive: {len(files)} files of {size} KiB, "
            f"a scrape takes {taken:.1f} ms, {len(scraped.splitlines())} lines"
        )


@contextmanager
def _process(side: str, directory: Path, *flags: str) -> Iterator[str]:
    """A process that counts, and its output; it is killed at the end."""
    command = [sys.executable, "-m", "bench.metrics", "--be", side, "--directory", str(directory)]
    command += flags
    environ = {**os.environ, _OF_CLIENT: str(directory)} if side == "client" else None
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield "".join(iter(process.stdout.readline, "ready\n"))
        finally:
            process.kill()


def _children(metric: Metric[Any]) -> Iterator[tuple[str, ...]]:
    known = list(metric.series())
    yield from (series.labels for series in known)
    if not known and metric.labels:
        yield from product(VALUES, repeat=len(metric.labels))


def _time(what: str, call: Call) -> None:
    rounds = []
    for _ in range(ROUNDS):
        before = time.process_time()
        for _ in range(CALLS):
            call()
        rounds.append((time.process_time() - before) / CALLS * 1e6)
    print(f"  {what}: {min(rounds):.2f} us", flush=True)


def _ours(directory: Path) -> tuple[Call, Call]:
    for metric in ALL:
        for labels in list(_children(metric)):
            child = metric.of(*labels)
            if metric.kind is MetricType.HISTOGRAM:
                child.observe(0.1)
            else:
                child.value = 1.0
    Shared(directory).write()
    counter, histogram = RECEIVED.of("a", "relay"), REQUEST_SECONDS.of("relay")

    def count() -> None:
        counter.value += 1.0

    return count, lambda: histogram.observe(0.1)


def _scrape_ours(directory: Path) -> bytes:
    from prometheus_client.exposition import generate_latest  # noqa: PLC0415 - by neither process

    with Shared(directory) as shared:
        return generate_latest(registry_of(shared.read))


def _clients(directory: Path) -> tuple[Call, Call]:
    # It reads the environment when it is imported.
    from prometheus_client import Counter, Gauge, Histogram  # noqa: PLC0415

    del directory
    made: dict[str, Any] = {}
    for metric in ALL:
        about = (metric.name, metric.text, metric.labels)
        if metric.kind is MetricType.HISTOGRAM:
            made[metric.name] = Histogram(*about, buckets=metric.bounds)
        elif metric.kind is MetricType.COUNTER:
            made[metric.name] = Counter(*about)
        else:
            made[metric.name] = Gauge(*about, multiprocess_mode=_KINDS[metric.kind])
        for labels in _children(metric):
            child = made[metric.name].labels(*labels) if labels else made[metric.name]
            (child.observe if metric.kind is MetricType.HISTOGRAM else child.inc)(0.1)
    histogram = made[REQUEST_SECONDS.name].labels("relay")
    return made[RECEIVED.name].labels("a", "relay").inc, lambda: histogram.observe(0.1)


def _scrape_clients(directory: Path) -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


SIDES: dict[str, tuple[Callable[[Path], tuple[Call, Call]], Callable[[Path], bytes]]] = {
    "ours": (_ours, _scrape_ours),
    "client": (_clients, _scrape_clients),
}

if __name__ == "__main__":
    main()
