"""What an operator does by the command line, with the settings of the running worker."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Final

import psutil

from chaos.stack import Stack

_TRIES: Final = 20
_PAUSE = 1.0


class Operator:
    """Runs commands against a stack; one that fails, because a part is down, is repeated."""

    def __init__(self, stack: Stack, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._say = say

    async def run(self, *arguments: str) -> None:
        """Run `chatkitty-gateway` with these arguments until it succeeds."""
        output = "there was no worker"
        for _ in range(_TRIES):
            environ = self._environ()
            if environ is not None:
                status, output = await _run(environ, arguments)
                if status == 0:
                    break
            await asyncio.sleep(_PAUSE)
        lines = output.strip().splitlines()
        self._say(f"{' '.join(arguments)}: {lines[-1] if lines else 'nothing said'}")

    def _environ(self) -> dict[str, str] | None:
        for process in self._stack.processes("worker"):
            try:
                return dict(process.environ())
            except psutil.Error:  # it has just died
                continue
        return None


async def _run(environ: dict[str, str], arguments: tuple[str, ...]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.cli",
        *arguments,
        env={**os.environ, **environ, "NO_COLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")
