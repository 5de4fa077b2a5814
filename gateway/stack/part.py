"""A part of the stack: a real server in its own process, which is started, awaited and stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from gateway.lineage import die_with_parent

_POLL_SECONDS = 0.02
_TAIL_LINES = 20


class PartError(Exception):
    """A part did not start; the text contains the end of its log."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a part is started, and how to find out that it serves.

    `ready` is called until it returns true. A part may take `patience` seconds to start, and
    `grace` seconds to stop before it is killed. One that `drains` finishes its work when it is
    asked to stop, and interrupts it when it is asked again.
    """

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool]
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience: float = 120.0
    grace: float = 10.0
    drains: bool = False


class Part:
    """One running process of a command. It ends with its parent, however the parent ends."""

    def __init__(self, command: Command, log_dir: Path) -> None:
        """Start it; its output goes to `{name}.log` in `log_dir`."""
        self.command = command
        log_dir.mkdir(parents=True, exist_ok=True)
        self.log = log_dir / f"{command.name}.log"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command.argv,
                env={**os.environ, **command.environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll()

    def wait_ready(self) -> Self:
        """Wait until it serves. Raises PartError if it exits first, or takes too long."""
        deadline = time.monotonic() + self.command.patience
        while not self.command.ready():
            if (status := self.exit_status) is not None:
                raise PartError(f"{self.command.name} exited with {status}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise PartError(f"{self.command.name} did not become ready\n{self.tail()}")
            time.sleep(_POLL_SECONDS)
        return self

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self.exit_status is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Stop it, and wait for its end; kill it if that takes longer than its grace."""
        self.ask_to_stop()
        self.wait_stopped()

    def wait_stopped(self) -> None:
        """Wait for its end after it was asked to stop; kill it if that takes too long."""
        try:
            self._process.wait(self.command.grace)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()
        self._process.wait()

    def tail(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    def __enter__(self) -> Self:
        """Wait until it serves; if it does not, leave no process."""
        try:
            return self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()
