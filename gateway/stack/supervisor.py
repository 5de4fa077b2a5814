"""Keeps the parts of the stack running, and stops them in order."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.revival import Place
from gateway.stack.part import Command, Part, PartError
from gateway.terminal import Console

_BETWEEN_SIGNALS = 0.5
"""Seconds between two equal signals: a process sees two at the same time as one."""


class Supervised(Place[Part]):
    """The place of one part."""

    def __init__(self, command: Command, log_dir: Path) -> None:
        """Start it."""
        self.command = command
        super().__init__(lambda: Part(command, log_dir), lambda part: part.exit_status)

    def keep(self) -> None:
        """Restart it if it is dead and its pause is over."""
        if (death := self.look()) is not None:
            name = self.command.name
            _say(f"{name} died ({death.status}); starting it again in {death.pause:g} s")
            if death.quick:
                _say(self.process.tail())
        self.revive()


class Supervisor:
    """The running parts, in the order in which they were started."""

    def __init__(self, log_dir: Path, console: Console, *, restart: bool) -> None:
        self._console = console
        self._log_dir = log_dir
        self._restart = restart
        self._parts: list[Supervised] = []
        self._told: list[Supervised] = []
        self._hastened = False

    def start(self, commands: Sequence[Command]) -> None:
        """Start parts concurrently, and wait until all serve. Raises PartError."""
        started = [Supervised(command, self._log_dir) for command in commands]
        self._parts += started
        for supervised in started:
            self._console.status(f"starting {supervised.command.name} ...")
            supervised.process.wait_ready()
        self._console.status("")

    def pids(self, name: str) -> list[int]:
        """The processes of the parts with that name, or with that name and a number."""
        return [
            supervised.process.pid
            for supervised in self._parts
            if supervised.command.name.rpartition("-")[0] == name or supervised.command.name == name
        ]

    def look_after(self) -> None:
        """Restart parts that died. Raises PartError if no part may be restarted."""
        for supervised in self._parts:
            if self._restart:
                supervised.keep()
            elif supervised.process.exit_status is not None:
                raise PartError(f"{supervised.command.name} died\n{supervised.process.tail()}")

    def stop(self) -> None:
        """Stop all parts, the last one started first; gateways drain concurrently."""
        for supervised in filter(_is_gateway, self._parts):
            self._tell(supervised)
        for supervised in reversed(self._parts):
            if not _is_gateway(supervised):
                self._tell(supervised)
            supervised.process.wait_stopped()
        self._parts.clear()

    def hasten(self) -> None:
        """Interrupt, now or later, everything that the parts would finish before they stop."""
        self._hastened = True
        for supervised in self._told:
            if supervised.command.drains:
                supervised.process.ask_to_stop()

    def _tell(self, supervised: Supervised) -> None:
        supervised.process.ask_to_stop()
        self._told.append(supervised)
        if self._hastened and supervised.command.drains:
            time.sleep(_BETWEEN_SIGNALS)
            supervised.process.ask_to_stop()


def _is_gateway(supervised: Supervised) -> bool:
    return supervised.command.name.startswith("gateway-")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
