"""Gateways are restarted one after the other behind a balancer, under load: nobody notices."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.stack.ports import HOST, free_ports
from gateway.stack.probes import answers
from tests.deploy.fronts import KINDS, Front, front
from tests.deploy.tools import Tools
from tests.flows.client import Client
from tests.servers.sandbox import CHANNEL, THREAD, TOKENS
from tests.servers.zygote import ForkedPart

SIZES = (10_000, 100_000, 3_000_000)
PATHS = (f"/v1/channels/{CHANNEL}/messages", f"/v1/threads/{THREAD}/messages")
ROUTES = """
[[routes]]
path = "/v1/threads/*/messages"
delivery = "relay"
"""
RESTARTS = 2
PATIENCE = 40.0


class Replica:
    """One gateway, which is restarted at its place."""

    def __init__(self, environ: dict[str, str], directory: Path) -> None:
        self.port, admin_port = free_ports(2)
        own = {"GATEWAY_PORT": str(self.port), "GATEWAY_ADMIN_PORT": str(admin_port)}
        self._environ = environ | own
        self._log = directory / f"gateway-{self.port}.log"
        self._ready = f"http://{HOST}:{self.port}/gateway/readyz"

    def start(self) -> None:
        self.part = ForkedPart(
            ["gateway.cli", "serve"],
            self._environ,
            self._log,
            lambda: answers(self._ready, below=300),
        ).__enter__()

    async def restart(self) -> int:
        """Stop it by SIGTERM and start it again; the status it exited with."""
        os.kill(self.part.pid, signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            while (status := self.part.exit_status) is None:
                await asyncio.sleep(0.05)
        await asyncio.to_thread(self.start)
        return status


@asynccontextmanager
async def load(url: str) -> AsyncIterator[list[str]]:
    """Uploads of every size in both deliveries, one after the other; what became of each."""
    outcomes: list[str] = []
    stopped = asyncio.Event()

    async def go_on(path: str, size: int) -> None:
        async with Client.open(url, TOKENS["alice"]) as client:
            while not stopped.is_set():
                try:
                    answer = await client.upload(path, b"x" * size)
                    outcomes.append(str(answer.status))
                except Exception as error:  # noqa: BLE001 - it is what the test looks for
                    outcomes.append(repr(error))
                await asyncio.sleep(0.1)  # the one worker is to keep up with the audits

    async with asyncio.TaskGroup() as group:
        for path in PATHS:
            for size in SIZES:
                group.create_task(go_on(path, size))
        try:
            yield outcomes
        finally:
            stopped.set()


def _seen(served: Front) -> int:
    return served.logged().count(" is UP")


async def _until_seen_again(served: Front, before: int) -> None:
    """HAProxy looks for itself whether a gateway is there again."""
    async with asyncio.timeout(PATIENCE):
        while served.kind == "haproxy" and _seen(served) <= before:
            await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("worker", "sandbox")
async def test_a_rolling_restart_fails_no_request(
    kind: str, environ: dict[str, str], tools: Tools, tmp_path: Path
) -> None:
    routes = tmp_path / "gateway.toml"
    routes.write_text(ROUTES)
    settings = {
        "GATEWAY_CONFIG": str(routes),
        "GATEWAY_DELIVERY": "external",
        # nginx looks at no readiness: what it needs is that closing loses nothing.
        "GATEWAY_DRAIN_DELAY": "5" if kind == "haproxy" else "0.5",
    }
    replicas = [Replica(environ | settings, tmp_path) for _ in range(2)]
    for replica in replicas:
        replica.start()
    one, other = replicas
    statuses = []
    try:
        with front(kind, tools, tmp_path / "front", (one.port, other.port)) as served:
            async with load(served.url) as outcomes:
                for _ in range(RESTARTS):
                    for replica in replicas:
                        before = _seen(served)
                        statuses.append(await replica.restart())
                        await _until_seen_again(served, before)
    finally:
        for replica in replicas:
            replica.part.stop()
    assert statuses == [0] * (2 * RESTARTS)
    assert len(outcomes) > 100
    assert set(outcomes) <= {"200", "202"}
