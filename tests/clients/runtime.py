"""Runs ChatKitty's end-user SDK in its own process, one call at a time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clients.drivers import ENVIRONMENT
from tests.clients.install import NODE

PATIENCE = 120.0
"""Seconds that a call may take, on a busy machine."""


@dataclass
class Runtime:
    """A running SDK, and the events that it has told of."""

    _process: asyncio.subprocess.Process
    _errors: Path
    events: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def open(cls, node: Path, base_url: str, errors: Path) -> "AsyncIterator[Runtime]":
        with errors.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                str(node),
                str(NODE / "runtime.mjs"),
                f"--base-url={base_url}",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=ENVIRONMENT,
                limit=16 * 1024**2,
            )
        try:
            yield cls(process, errors)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def call(self, name: str, **parameters: Any) -> dict[str, Any]:
        """What came of the call; events that come before are kept."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps({"call": name, **parameters}).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            while (told := await self._read()).get("call") != name:
                self.events.append(told)
        return told

    async def event(self, name: str) -> dict[str, Any]:
        """The oldest event of that name; it is awaited if there was none."""
        async with asyncio.timeout(PATIENCE):
            while not (found := [each for each in self.events if each["event"] == name]):
                self.events.append(await self._read())
        self.events.remove(found[0])
        return found[0]

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, self._errors.read_text()
        told: dict[str, Any] = json.loads(line)
        return told
