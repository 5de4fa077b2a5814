"""A headless Chromium, in whose pages a script runs (Chrome DevTools Protocol)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.clients.drivers import ENVIRONMENT, run
from tests.clients.install import NODE
from tests.programs import need

_PATIENCE: Final = 120.0
"""Seconds until the next message of the browser, on a busy machine."""


@dataclass(frozen=True)
class Page:
    """One tab; what its origin stores stays while it goes from page to page."""

    socket: aiohttp.ClientWebSocketResponse
    numbers: "count[int]"

    async def go(self, url: str, script: str) -> None:
        """Open a page, and run a script in it."""
        await self.ask("Page.enable")
        await self._load("Page.navigate", url=url)
        await self.ask("Runtime.evaluate", expression=script)

    async def follow(self, expression: str) -> None:
        """Evaluate what opens another page, and wait for that."""
        await self._load("Runtime.evaluate", expression=expression)

    async def _load(self, method: str, **parameters: Any) -> None:
        await self._send(method, parameters)
        while (await self._next()).get("method") != "Page.loadEventFired":
            pass

    async def call(self, function: str, **options: Any) -> Any:
        """What a global function of the page comes to."""
        expression = f"{function}({json.dumps(options)})"
        return await self.evaluate(expression)

    async def evaluate(self, expression: str) -> Any:
        """What an expression comes to in the page, with promises awaited."""
        answer = await self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def ask(self, method: str, **parameters: Any) -> Any:
        """What the browser answers to a command of its protocol."""
        number = await self._send(method, parameters)
        while (message := await self._next()).get("id") != number:
            pass
        return message["result"]

    async def _send(self, method: str, parameters: dict[str, Any]) -> int:
        number = next(self.numbers)
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        return number

    async def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.socket.receive_json(timeout=_PATIENCE)
        return message


async def bundle(node: Path, module: str, directory: Path) -> str:
    """The module of that name with all that it imports, as one script for pages."""
    esbuild = NODE / "node_modules" / "esbuild" / "bin" / "esbuild"
    made = directory / "bundle.js"
    options = ("--bundle", "--format=iife", "--log-level=error", f"--outfile={made}")
    await run([str(node), str(esbuild), str(NODE / module), *options])
    return made.read_text()


@asynccontextmanager
async def browsing(directory: Path) -> AsyncIterator[Page]:
    """A page of a browser whose profile is in the directory."""
    need("chromium", packages="chromium")
    process = await asyncio.create_subprocess_exec(
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--remote-debugging-port=0", f"--user-data-dir={directory}", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    try:
        async with aiohttp.ClientSession() as session:
            url = await _page_of(session, directory / "DevToolsActivePort")
            async with session.ws_connect(url, max_msg_size=0) as socket:
                yield Page(socket, count())
    finally:
        process.terminate()
        await process.wait()


async def _page_of(session: aiohttp.ClientSession, told: Path) -> str:
    """The URL of the first page's socket, once the browser listens."""
    async with asyncio.timeout(_PATIENCE):
        while (port := _port_in(told)) is None:
            await asyncio.sleep(0.05)
        while True:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                for target in await answer.json():
                    if target["type"] == "page":
                        return str(target["webSocketDebuggerUrl"])
            await asyncio.sleep(0.05)


def _port_in(told: Path) -> str | None:
    """The port that the browser wrote there, once it has written all."""
    lines = told.read_text().splitlines() if told.exists() else []
    return lines[0] if len(lines) == 2 else None
