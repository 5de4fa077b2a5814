"""What an upload costs each part of a deployment, and what an open one holds.

The figures of docs/capacity.md: the whole stack runs as `up` has it, all of it on this machine. CPU
times are those of the parts' own processes; what they use while nothing happens is taken off.
"""

import argparse
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from bench.load import Load, around, run_load
from bench.sides import Side
from gateway.metrics.catalogue import ENDS
from gateway.stack.part import Part
from gateway.stack.plan import make_plan

LOADS = {
    "relay": {
        "10 KiB": Load(10 * 1024, 1200, 4),
        "100 KiB": Load(100 * 1024, 1200, 4),
        "3 MiB": Load(3 * 1024**2, 120, 4),
        "64 MiB": Load(64 * 1024**2, 8, 2),
    },
    "external": {
        "10 KiB": Load(10 * 1024, 400, 4, 202),
        "100 KiB": Load(100 * 1024, 400, 4, 202),
        "3 MiB": Load(3 * 1024**2, 60, 4, 202),
        "64 MiB": Load(64 * 1024**2, 8, 2, 202),
    },
}
ROUNDS = 2
"""The first fills caches and pools."""

SETTLE = 3.0
"""Seconds in which beat, which tells of no readiness, comes up: it is not to count as idle."""

IDLE = 5.0
"""Seconds in which it is seen what the parts use while nothing happens."""

OPEN = 40
SENT = 4 * 1024**2
_MIB = 1024**2


@dataclass(frozen=True)
class Usage:
    """What was used at `seconds`: CPU by part, and commands that Redis was given."""

    seconds: float
    cpu: Mapping[str, float]
    commands: float

    def __sub__(self, before: "Usage") -> "Usage":
        cpu = {part: used - before.cpu[part] for part, used in self.cpu.items()}
        return Usage(self.seconds - before.seconds, cpu, self.commands - before.commands)

    def beyond(self, idle: "Usage") -> "Usage":
        """Without what so much idle time costs."""
        share = self.seconds / idle.seconds
        cpu = {part: max(0.0, used - share * idle.cpu[part]) for part, used in self.cpu.items()}
        return Usage(self.seconds, cpu, self.commands - share * idle.commands)


class Deployment:
    """A whole stack, one of each part."""

    def __init__(self, stack: ExitStack, directory: Path, settings: Mapping[str, str]) -> None:
        own = {"GATEWAY_REGISTRATION_WAIT": "0", "GATEWAY_LOG_LEVEL": "warning", **settings}
        plan = make_plan(directory, 0, 1, own)
        self.url = plan.gateway_url
        self.token = plan.tokens[0][1]
        self._metrics = plan.worker_metrics_url or ""
        self._redis = stack.enter_context(Redis.from_url(plan.environ["GATEWAY_REDIS_URL"]))
        self._parts: dict[str, Side] = {}
        for command in (*plan.servers, *plan.gateways, *plan.workers):
            part = stack.enter_context(Part(command, directory / "logs"))
            self._parts[command.name] = Side(command.name, self.url, part.pid)

    def usage(self) -> Usage:
        """Of all parts, until now."""
        cpu = {name: part.cpu_seconds() for name, part in self._parts.items()}
        commands = self._redis.info("stats")["total_commands_processed"]
        return Usage(time.perf_counter(), cpu, float(commands))

    def ended(self) -> int:
        """Uploads of which the workers have seen the end."""
        with urlopen(self._metrics) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        samples = (sample for family in families for sample in family.samples)
        return int(sum(sample.value for sample in samples if sample.name == ENDS.name))

    def held(self, part: str) -> tuple[int, int]:
        """Resident bytes and file descriptors of a part."""
        return self._parts[part].memory, psutil.Process(self._parts[part].pid).num_fds()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", nargs="+", default=list(LOADS), choices=list(LOADS))
    parser.add_argument("--loads", nargs="+", default=list(LOADS["relay"]))
    options = parser.parse_args()
    for delivery in options.deliveries:
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            deployment = Deployment(stack, Path(name), {"GATEWAY_DELIVERY": delivery})
            time.sleep(SETTLE)
            idle = _idle(deployment)
            _print_idle(delivery, idle)
            for size, load in LOADS[delivery].items():
                if size in options.loads:
                    _print(size, load, [_run(deployment, load) for _ in range(ROUNDS)][-1], idle)
            _print_memory(deployment)


def _idle(deployment: Deployment) -> Usage:
    before = deployment.usage()
    time.sleep(IDLE)
    return deployment.usage() - before


def _run(deployment: Deployment, load: Load) -> tuple[Usage, float]:
    """What it used until all had ended, and how long it took until all were answered."""
    ended, before = deployment.ended(), deployment.usage()
    answered = run_load(deployment.url, load, deployment.token)
    while deployment.ended() < ended + load.uploads:
        time.sleep(0.05)
    return deployment.usage() - before, answered


def _print_idle(delivery: str, idle: Usage) -> None:
    used = ", ".join(f"{part} {seconds / idle.seconds:.1%}" for part, seconds in idle.cpu.items())
    print(f"\n{delivery}; idle: {used}; {idle.commands / idle.seconds:.1f} commands/s")


def _print(size: str, load: Load, ran: tuple[Usage, float], idle: Usage) -> None:
    usage, answered = ran[0].beyond(idle), ran[1]
    each = {part: 1000 * seconds / load.uploads for part, seconds in usage.cpu.items()}
    costs = ", ".join(f"{part} {cost:.2f} ms" for part, cost in each.items() if cost >= 0.005)
    print(
        f"  {size:>8}: {costs}; {usage.commands / load.uploads:.1f} commands;"
        f" answered {load.uploads / answered:.0f}/s, ended {load.uploads / usage.seconds:.0f}/s",
        flush=True,
    )


def _print_memory(deployment: Deployment) -> None:
    before, _ = deployment.held("gateway-1")
    with _open_uploads(deployment):
        held = deployment.held("gateway-1")[0] - before
    print(
        f"  {OPEN} open uploads of which {SENT // _MIB} MiB have come:"
        f" {held / OPEN / 1024:.0f} KiB each",
        flush=True,
    )


@contextmanager
def _open_uploads(deployment: Deployment) -> Iterator[None]:
    address = urlsplit(deployment.url)
    with ExitStack() as stack:
        for _ in range(OPEN):
            connection = stack.enter_context(
                socket.create_connection((address.hostname, address.port))
            )
            opening, _ = around(str(address.hostname), deployment.token, 16 * SENT)
            connection.sendall(opening + os.urandom(SENT))
        time.sleep(1)
        yield


if __name__ == "__main__":
    main()
