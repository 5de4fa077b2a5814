"""A whole deployment as `chatkitty-gateway up` starts it, and the resources that each part uses."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, chdir
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from bench.checkout import HERE, Checkout
from bench.load import Load, run_load
from bench.sides import Side
from gateway.metrics.catalogue import ENDS
from gateway.stack.part import Command, Part
from gateway.stack.probes import says

SETTLE = 3.0
"""Seconds in which beat starts, which does not report readiness: they do not count as idle."""

IDLE = 5.0
"""Seconds for which idle parts are measured."""

_POLL_SECONDS = 0.25
"""How often a worker is asked for its metrics, which costs it some milliseconds each time."""

_START_SECONDS = 90.0
_STOP_SECONDS = 60.0
_TOLD = '{"gateway"'
"""The beginning of the line in which `up --json` describes what it has started."""


@dataclass(frozen=True)
class Usage:
    """What was used in `seconds`: CPU seconds by part, and commands that Redis received."""

    seconds: float
    cpu: Mapping[str, float]
    commands: float

    def __sub__(self, before: "Usage") -> "Usage":
        cpu = {part: used - before.cpu[part] for part, used in self.cpu.items()}
        return Usage(self.seconds - before.seconds, cpu, self.commands - before.commands)

    def beyond(self, idle: "Usage") -> "Usage":
        """What was used beyond what idle parts use in the same time."""
        share = self.seconds / idle.seconds
        cpu = {part: max(0.0, used - share * idle.cpu[part]) for part, used in self.cpu.items()}
        return Usage(self.seconds, cpu, self.commands - share * idle.commands)


class Deployment:
    """A whole deployment of a checkout; its parts are named as `up --json` names them."""

    def __init__(
        self,
        stack: ExitStack,
        directory: Path,
        settings: Mapping[str, str],
        checkout: Checkout = HERE,
        awaited: Sequence[str] = (ENDS.name,),
    ) -> None:
        """Start it, with its data below `directory`; `stack` stops it.

        `awaited`: what the workers count once for each upload until it is done.
        """
        own = {"GATEWAY_REGISTRATION_WAIT": "0", "GATEWAY_LOG_LEVEL": "warning", **settings}
        options = ["--json", "--no-sample", "--no-restart", "--port", "0"]
        log = directory / "up.log"
        command = Command(
            "up",
            [str(checkout.program), "up", *options, "--data-dir", str(directory)],
            lambda: says(log, 0, _TOLD),
            own,
            _START_SECONDS,
            _STOP_SECONDS,
        )
        with chdir(checkout.directory):  # Celery imports from its working directory
            stack.enter_context(Part(command, directory))
        told = json.loads(next(line for line in log.read_text().splitlines() if _TOLD in line))
        self.url: str = told["gateway"]
        self.token: str = told["token"]
        self._metrics: str = told["worker_metrics"]
        self._awaited = awaited
        self._redis = stack.enter_context(Redis.from_url(told["redis"]))
        self._parts = {name: Side(name, self.url, pids[0]) for name, pids in told["pids"].items()}

    def usage(self) -> Usage:
        """What all parts have used until now."""
        cpu = {name: part.cpu_seconds() for name, part in self._parts.items()}
        commands = self._redis.info("stats")["total_commands_processed"]
        return Usage(time.perf_counter(), cpu, float(commands))

    def idle(self) -> Usage:
        """Measure what the parts use while nothing happens; takes SETTLE and IDLE seconds."""
        time.sleep(SETTLE)
        before = self.usage()
        time.sleep(IDLE)
        return self.usage() - before

    def run(self, load: Load) -> Usage:
        """Upload everything, and return what was used until the last upload had finished."""
        done, before = [self._counted(name) for name in self._awaited], self.usage()
        run_load(self.url, load, self.token)
        for name, count in zip(self._awaited, done, strict=True):
            while self._counted(name) < count + load.uploads:
                time.sleep(_POLL_SECONDS)
        return self.usage() - before

    def ended(self) -> int:
        """Count the uploads that the workers have finished."""
        return self._counted(ENDS.name)

    def _counted(self, name: str) -> int:
        with urlopen(self._metrics) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        samples = (sample for family in families for sample in family.samples)
        return int(sum(sample.value for sample in samples if sample.name == name))

    def held(self, part: str) -> tuple[int, int]:
        """Resident bytes and file descriptors of a part."""
        return self._parts[part].memory, psutil.Process(self._parts[part].pid).num_fds()
