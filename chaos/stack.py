"""The embedded stack as a user starts it, and its present processes, which faults strike."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from chaos.plan import UPSTREAM_TIMEOUT
from gateway.stack.part import Command, Part
from gateway.stack.probes import says

_START_SECONDS = 90.0
_STOP_SECONDS = 90.0

_ROUTES = """
[[routes]]
path = "/v1/threads/*/messages"
delivery = "relay"

[[routes]]
path = "/v1/channels/*/messages"
delivery = "external"
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What the stack says of itself once it serves."""

    gateway: str
    sandbox: str
    token: str
    channel: int
    redis: str
    s3_endpoint: str
    s3_bucket: str
    s3_access_key_id: str
    s3_secret_access_key: str

    @classmethod
    def parse(cls, output: str) -> Self:
        """Read it from the output of `up --json`. Raises ValueError where it is not there."""
        for line in output.splitlines():
            if line.startswith('{"gateway"'):
                return cls._of(json.loads(line))
        raise ValueError("the stack did not tell where it serves")

    @classmethod
    def _of(cls, document: dict[str, Any]) -> Self:
        store = document["s3"]
        return cls(
            gateway=document["gateway"],
            sandbox=document["sandbox"],
            token=document["token"],
            channel=document["channel"],
            redis=document["redis"],
            s3_endpoint=store["endpoint"],
            s3_bucket=store["bucket"],
            s3_access_key_id=store["access_key_id"],
            s3_secret_access_key=store["secret_access_key"],
        )


class Stack:
    """A running `chatkitty-gateway up`. It ends with this process, however that ends."""

    def __init__(self, data_dir: Path) -> None:
        """Start it, with two gateway processes."""
        data_dir.mkdir(parents=True, exist_ok=True)
        routes = data_dir / "routes.toml"
        routes.write_text(_ROUTES)
        log = data_dir / "up.log"
        options = ["--json", "--port", "0", "--data-dir", str(data_dir), "--processes", "2"]
        command = Command(
            "up",
            [sys.executable, "-m", "gateway.cli", "up", *options],
            lambda: says(log, 0, '"pids"'),
            {
                "GATEWAY_CONFIG": str(routes),
                "GATEWAY_DELIVERY": "external",
                "GATEWAY_UPSTREAM_TIMEOUT": str(UPSTREAM_TIMEOUT),
            },
            patience=_START_SECONDS,
            grace=_STOP_SECONDS,
        )
        self._part = Part(command, data_dir)

    @property
    def is_up(self) -> bool:
        """Whether the launcher runs."""
        return self._part.exit_status is None

    def told(self) -> Told:
        """Where everything serves."""
        return Told.parse(self._part.log.read_text())

    def processes(self, part: str) -> list[psutil.Process]:
        """The present processes of a part, which are others after each of its deaths."""
        return [
            child
            for child in psutil.Process(self._part.pid).children()
            if part_of(_arguments(child)) == part
        ]

    def __enter__(self) -> Self:
        """Wait until it serves. Raises PartError where it does not."""
        self._part.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop it, and all that it started."""
        self._part.__exit__(*exception)


def part_of(arguments: Sequence[str]) -> str | None:
    """The part that a command line is of, None where it is no part's. Pure."""
    if not arguments:
        return None
    # Valkey writes its address behind its name.
    program = Path(arguments[0].partition(" ")[0]).name
    by_program = {"valkey-server": "redis", "redis-server": "redis", "weed": "s3"}
    if program in by_program:
        return by_program[program]
    if "gateway.cli" in arguments:
        by_command = {"serve": "gateway", "sandbox": "sandbox"}
    elif "celery" in arguments:
        by_command = {"worker": "worker", "beat": "beat"}
    else:
        return None
    return next((by_command[word] for word in arguments if word in by_command), None)


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:  # it has just died
        return []
