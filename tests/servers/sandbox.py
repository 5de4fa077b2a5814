"""The ChatKitty sandbox in its own process, and its controls."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.probes import answers

CHANNEL = 702
THREAD = 801
TOKENS = {"alice": "alice-token", "bob": "bob-token"}
STRANGER = "mallorys-token"
"""A token of another application."""
STRANGERS_APPLICATION = 666


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox."""

    url: str
    pid: int

    @classmethod
    @contextmanager
    def start(cls, data_dir: Path, port: int | None = None) -> "Iterator[Sandbox]":
        port = port or free_port()
        url = f"http://{HOST}:{port}"
        arguments = ["sandbox", "--port", str(port), "--data-dir", str(data_dir)]
        tokens = ",".join(f"{token}={subject}" for subject, token in TOKENS.items())
        command = Command(
            "sandbox",
            [sys.executable, "-m", "gateway.cli", *arguments],
            lambda: answers(f"{url}/sandbox/healthz"),
            {
                "SANDBOX_TOKENS": tokens,
                "SANDBOX_STRANGERS": f"{STRANGER}={STRANGERS_APPLICATION}",
            },
        )
        with Part(command, data_dir.parent) as part:
            yield cls(url, part.pid)

    async def fault(
        self, method: str, path: str, *, times: int = 1, after: int = 0, **fault: Any
    ) -> None:
        """Add a rule to those in force."""
        rules = await self._control("GET", "faults")
        rule = {"method": method, "path": path, "times": times, "after": after, "fault": fault}
        await self._control("PUT", "faults", [*rules, rule])

    async def heal(self) -> None:
        await self._control("DELETE", "faults")

    async def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._control("GET", "requests")
        return found

    async def forget_requests(self) -> None:
        await self._control("DELETE", "requests")

    async def get(self, path: str, token: str = TOKENS["alice"]) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(self.url + path) as answer,
        ):
            return await answer.json()

    async def new_channel(self) -> int:
        """The id of a channel without messages."""
        headers = {"Authorization": f"Bearer {TOKENS['alice']}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.url}/v1/channels", json={"type": "PUBLIC"}) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return int((await answer.json())["id"])

    async def messages(self, place: str = f"channels/{CHANNEL}") -> list[dict[str, Any]]:
        """The newest messages of a channel or thread."""
        page = await self.get(f"/v1/{place}/messages?size=1000")
        found: list[dict[str, Any]] = page.get("_embedded", {}).get("messages", [])
        return found

    async def _control(self, method: str, name: str, body: Any = None) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.url}/sandbox/{name}", json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.json()
