"""Gateways and workers, forked from a process that has imported everything: tests start dozens.

The child runs the command line of a user, in its own process with its own
environment and log. It only saves a second of imports and of reading S3's description.
"""

import asyncio
import atexit
import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from aiohttp import connector

from gateway.stack.part import PartError
from tests.flows.client import PATIENCE
from tests.servers import s3_api

_PRELOADED = (
    "celery.__main__",
    "celery.bin.celery",
    "celery.apps.worker",
    "celery.concurrency.thread",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "gateway.cli",
    "gateway.server.app",
    "gateway.server.run",
    "workers.sniff",
)
_POLL_SECONDS = 0.01
_imported: dict[str, str] = {}


class Kind(NamedTuple):
    """What is fixed when modules are imported: Python's options, and its environment."""

    options: tuple[str, ...] = ()
    environ: tuple[tuple[str, str], ...] = ()


USUAL = Kind()


class Zygote:
    """The process that has imported everything, started when it is first needed."""

    _of_a_kind: ClassVar["dict[Kind, Zygote]"] = {}

    def __init__(self, kind: Kind) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *kind.options, "-m", "tests.servers.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **dict(kind.environ)},
        )
        atexit.register(self._end)

    def _end(self) -> None:
        with self._process:  # closes its standard input, and waits
            pass

    @classmethod
    def get(cls, kind: Kind = USUAL) -> "Zygote":
        """The only one of that kind; it ends when its standard input is closed."""
        if kind not in cls._of_a_kind:
            cls._of_a_kind[kind] = cls(kind)
        return cls._of_a_kind[kind]

    def ask(self, **order: Any) -> Any:
        """Give an order and read its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


class ForkedPart:
    """A running command line: for tests what `gateway.stack.part.Part` is for users."""

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        log: Path,
        ready: Callable[[], bool],
        kind: Kind = USUAL,
    ) -> None:
        """Start `argv`: the module to run, and its arguments."""
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        self.log = log
        self._ready = ready
        self._status: int | None = None
        environ = {**os.environ, **environ}
        self._zygote = Zygote.get(kind)
        self.pid: int = self._zygote.ask(argv=list(argv), environ=environ, log=str(log))

    @property
    def exit_status(self) -> int | None:
        """Its exit status, None while it runs."""
        if self._status is None:
            self._status = self._zygote.ask(pid=self.pid)
        return self._status

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def kill(self) -> None:
        """Send SIGKILL."""
        self._end(signal.SIGKILL, 10.0)

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL if that takes too long."""
        if not self._end(signal.SIGTERM, 10.0):
            self.kill()

    def hasten(self) -> None:
        """Send SIGTERM, and again if it does not end: tests do not wait for idle clients."""
        self._end(signal.SIGTERM, 0.3)
        if self.exit_status is None:
            os.kill(self.pid, signal.SIGTERM)

    def __enter__(self) -> Self:
        """Wait until it serves."""
        deadline = time.monotonic() + PATIENCE
        while not self._ready():
            if self.exit_status is not None or time.monotonic() > deadline:
                self.kill()
                raise PartError(f"{self.log.stem} did not become ready\n{self.tail()}")
            time.sleep(_POLL_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def _end(self, number: signal.Signals, patience: float) -> bool:
        deadline = time.monotonic() + patience
        if self.exit_status is None:
            os.kill(self.pid, number)
        while self.exit_status is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return self.exit_status is not None


def _main() -> None:
    given = set(os.environ)
    for module in _PRELOADED:
        importlib.import_module(module)
    s3_api.read_once()
    asyncio.run(s3_api.read_now())
    # Anything that imports have set is set in every child as well.
    _imported.update({name: os.environ[name] for name in set(os.environ) - given})
    for line in sys.stdin:
        order = json.loads(line)
        answer = _status(order["pid"]) if "pid" in order else _fork(order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _status(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _fork(order: dict[str, Any]) -> int:
    if (pid := os.fork()) != 0:
        return pid
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # with the zygote, which ends with the tests
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for target in (1, 2):
        os.dup2(log, target)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(_imported | order["environ"])
    importlib.reload(importlib.import_module("gateway.crash"))  # it reads the environment once
    if (seconds := os.environ.get("CLOCK_OFF_BY")) is not None:
        importlib.import_module("tests.servers.clock").be_off_by(float(seconds))
    if (stand_in := os.environ.get("LIBMAGIC_CHILD")) is not None:
        process = vars(importlib.import_module("workers.libmagic.process"))
        process["COMMAND"] = (*process["COMMAND"][:-1], stand_in)
    module, *arguments = order["argv"]
    sys.argv = [module, *arguments]
    status = 1
    if "SSL_CERT_FILE" in os.environ:  # aiohttp has read it as it was imported
        connector._SSL_CONTEXT_VERIFIED = connector._make_ssl_context(verified=True)
    try:
        importlib.import_module(module).main()
    except Exception:  # noqa: BLE001 - the log is all that is left to tell of it
        traceback.print_exc()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _main()
