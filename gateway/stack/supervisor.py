"""Keeps the parts of the stack running, and ends them in order."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.stack.part import Command, Part, PartError

_QUICK_DEATH = 5.0
_LONGEST_BACKOFF = 30.0
_BETWEEN_SIGNALS = 0.5
"""Two of the same that come at once are one to whom they are sent."""


class Supervised:
    """One part, started again whenever it dies, with growing pauses where it does so at once."""

    def __init__(self, command: Command, log_dir: Path) -> None:
        self.command = command
        self._log_dir = log_dir
        self._backoff = 0.0
        self._start()

    def _start(self) -> None:
        self.part = Part(self.command, self._log_dir)
        self._started = time.monotonic()
        self._restart_at: float | None = None

    def revive(self) -> None:
        """Start it again if it is dead and its pause is over."""
        status = self.part.exit_status
        if status is None:
            return
        now = time.monotonic()
        if self._restart_at is None:
            quick = now - self._started < _QUICK_DEATH
            self._backoff = min(_LONGEST_BACKOFF, max(0.5, 2 * self._backoff)) if quick else 0.0
            self._restart_at = now + self._backoff
            _say(f"{self.command.name} died ({status}); starting it again in {self._backoff:g} s")
            if quick:
                _say(self.part.tail())
        if now >= self._restart_at:
            self._start()


class Supervisor:
    """The running parts, in the order in which they were started."""

    def __init__(self, log_dir: Path, *, restart: bool) -> None:
        self._log_dir = log_dir
        self._restart = restart
        self._parts: list[Supervised] = []
        self._told: list[Supervised] = []
        self._hastened = False

    def start(self, commands: Sequence[Command]) -> None:
        """Start parts side by side and wait until all serve. Raises PartError."""
        started = [Supervised(command, self._log_dir) for command in commands]
        self._parts += started
        for supervised in started:
            supervised.part.wait_ready()

    def pids(self, name: str) -> list[int]:
        """The processes of the parts of that name, or whose names are it and a number."""
        return [
            supervised.part.pid
            for supervised in self._parts
            if supervised.command.name.rpartition("-")[0] == name or supervised.command.name == name
        ]

    def look_after(self) -> None:
        """Start again what died. Raises PartError where nothing may be started again."""
        for supervised in self._parts:
            if self._restart:
                supervised.revive()
            elif supervised.part.exit_status is not None:
                raise PartError(f"{supervised.command.name} died\n{supervised.part.tail()}")

    def stop(self) -> None:
        """Stop all parts, the last one started first; the gateways drain side by side."""
        for supervised in filter(_is_gateway, self._parts):
            self._tell(supervised)
        for supervised in reversed(self._parts):
            if not _is_gateway(supervised):
                self._tell(supervised)
            supervised.part.wait_stopped()
        self._parts.clear()

    def hasten(self) -> None:
        """While it stops: have nothing waited for, now or later, that could be cut."""
        self._hastened = True
        for supervised in self._told:
            if supervised.command.drains:
                supervised.part.ask_to_stop()

    def _tell(self, supervised: Supervised) -> None:
        supervised.part.ask_to_stop()
        self._told.append(supervised)
        if self._hastened and supervised.command.drains:
            time.sleep(_BETWEEN_SIGNALS)
            supervised.part.ask_to_stop()


def _is_gateway(supervised: Supervised) -> bool:
    return supervised.command.name.startswith("gateway-")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
