"""The embedded stack as a user starts it, and its current processes, which faults strike."""

import json
import secrets
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from chaos.front import Front
from chaos.plan import UPSTREAM_TIMEOUT
from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_ports
from gateway.stack.probes import says
from gateway.stack.seaweedfs import SeaweedFS
from gateway.stack.supervisor import Supervisor
from gateway.terminal import Console

_START_SECONDS = 90.0
_STOP_SECONDS = 90.0
_LOOK_SECONDS = 0.2

ROUTES = """
[[routes]]
path = "/v1/threads/*/messages"
delivery = "relay"

[[routes]]
path = "/v1/channels/*/messages"
delivery = "external"
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What the stack prints once it is ready."""

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
        """Read it from the output of `up --json`. Raises ValueError if it is not there."""
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
    """A running `chatkitty-gateway up`. It ends with this process, in any case.

    Its store is started and supervised here, behind the `front`, which forwards requests to it.
    """

    def __init__(
        self, data_dir: Path, tables: str = "", settings: Mapping[str, str] | None = None
    ) -> None:
        """Start it, with two gateway processes.

        `tables`: more of the configuration file, `settings`: further variables.
        """
        data_dir.mkdir(parents=True, exist_ok=True)
        routes = data_dir / "routes.toml"
        routes.write_text(ROUTES + tables)
        log = data_dir / "up.log"
        port, store_port = free_ports(2)
        self.front = Front(port, store_port)
        keys = secrets.token_hex(), secrets.token_hex()
        store = SeaweedFS(data_dir / "s3", store_port, *keys)
        self._store = store.command()
        self._supervisor = Supervisor(data_dir / "logs", Console(), restart=True)
        self._stopped = threading.Event()
        self._watch = threading.Thread(target=self._look_after_store, daemon=True)
        options = ["--json", "--port", "0", "--data-dir", str(data_dir), "--processes", "2"]
        command = Command(
            "up",
            [sys.executable, "-m", "gateway.cli", "up", *options],
            lambda: says(log, 0, '"pids"'),
            {
                "GATEWAY_CONFIG": str(routes),
                "GATEWAY_DELIVERY": "external",
                "GATEWAY_UPSTREAM_TIMEOUT": str(UPSTREAM_TIMEOUT),
                "GATEWAY_ORPHAN_RETENTION": "45",
                **store.settings(),
                "GATEWAY_S3_ENDPOINT_URL": f"http://{HOST}:{port}",
                **(settings or {}),
            },
            patience=_START_SECONDS,
            grace=_STOP_SECONDS,
        )
        self._command = command
        self._data_dir = data_dir

    @property
    def is_up(self) -> bool:
        """Whether the launcher runs."""
        return self._part.exit_status is None

    def told(self) -> Told:
        """The addresses of all parts."""
        return Told.parse(self._part.log.read_text())

    def processes(self, part: str) -> list[psutil.Process]:
        """The current processes of a part, which change with each of its deaths."""
        parents = psutil.Process(), psutil.Process(self._part.pid)
        return [
            child
            for parent in parents
            for child in parent.children()
            if part_of(_arguments(child)) == part
        ]

    def __enter__(self) -> Self:
        """Wait until it serves. Raises PartError if it does not."""
        with ExitStack() as stack:
            stack.enter_context(self.front)
            stack.callback(self._supervisor.stop)
            self._supervisor.start([self._store])
            stack.callback(self._watch.join)
            stack.callback(self._stopped.set)
            self._watch.start()
            self._part = stack.enter_context(Part(self._command, self._data_dir))
            self._entered = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop it, and everything that it started."""
        self._entered.close()

    def _look_after_store(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            self._supervisor.look_after()


def part_of(arguments: Sequence[str]) -> str | None:
    """The part with that command line, None if there is none. Pure."""
    if not arguments:
        return None
    # Valkey puts its address after its name.
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
