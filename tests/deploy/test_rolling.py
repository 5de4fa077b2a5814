"""Gateways behind a balancer that are restarted or killed under load: which clients notice."""

import asyncio
import os
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.stack.ports import HOST, free_ports
from gateway.stack.probes import answers
from tests.clients.runtime import Runtime
from tests.clients.samples import png
from tests.deploy.fronts import DEBIAN, NEWEST, Front, front
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


SERVERS = re.compile(r"Server gateways/gateway-([12]) is (UP|DOWN)")


@dataclass(frozen=True)
class Outcome:
    """What became of a client's request, and when it was begun (`time.monotonic`)."""

    client: tuple[str, int]
    begun: float
    status: str
    problem: Mapping[str, Any] | None = None


class Replica:
    """One gateway, which is restarted at the same address."""

    def __init__(self, environ: dict[str, str], directory: Path, number: int) -> None:
        self.number = str(number)
        """Its place among the balancer's servers."""
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

    async def kill(self) -> float:
        """End it by SIGKILL; when it was gone (`time.monotonic`)."""
        os.kill(self.part.pid, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE):
            while self.part.exit_status is None:
                await asyncio.sleep(0.001)
        return time.monotonic()


@asynccontextmanager
async def load(url: str, pause: float) -> AsyncIterator[list[Outcome]]:
    """Uploads of every size in both deliveries, `pause` seconds apart; what became of each."""
    outcomes: list[Outcome] = []
    stopped = asyncio.Event()

    async def go_on(path: str, size: int) -> None:
        async with Client.open(url, TOKENS["alice"]) as client:
            while not stopped.is_set():
                begun = time.monotonic()
                try:
                    answer = await client.upload(path, b"x" * size)
                    problem = answer.json() if answer.status >= 300 else None
                    outcomes.append(Outcome((path, size), begun, str(answer.status), problem))
                except Exception as error:  # noqa: BLE001 - it is what the test looks for
                    outcomes.append(Outcome((path, size), begun, repr(error)))
                await asyncio.sleep(pause)  # the one worker must keep up with the audits

    async with asyncio.TaskGroup() as group:
        for path in PATHS:
            for size in SIZES:
                group.create_task(go_on(path, size))
        try:
            yield outcomes
        finally:
            stopped.set()


async def _until_it_is(served: Front, replica: Replica, state: str) -> None:
    """HAProxy checks whether a gateway is `UP` or `DOWN`, and logs each change."""
    async with asyncio.timeout(PATIENCE):
        while served.kind == "haproxy":
            changes = SERVERS.findall(served.logged())
            states = [changed for number, changed in changes if number == replica.number]
            if ["UP", *states][-1] == state:
                return
            await asyncio.sleep(0.05)


def delay_for(kind: str) -> str:
    """The drain's delay: nginx does not check readiness, so only the closing must lose nothing."""
    return "5" if kind in ("haproxy", "debian-haproxy") else "0.5"


def pause_for(kind: str) -> float:
    """Seconds between the uploads of a client: restarts that take longer see as many of them."""
    return 0.3 if delay_for(kind) == "5" else 0.1


@contextmanager
def replicas(environ: dict[str, str], directory: Path, **more: str) -> Iterator[list[Replica]]:
    """Two gateways of both deliveries."""
    routes = directory / "gateway.toml"
    routes.write_text(ROUTES)
    settings = {"GATEWAY_CONFIG": str(routes), "GATEWAY_DELIVERY": "external", **more}
    started = [Replica(environ | settings, directory, number) for number in (1, 2)]
    for replica in started:
        replica.start()
    try:
        yield started
    finally:
        for replica in started:
            replica.part.stop()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", [*NEWEST, *DEBIAN])
@pytest.mark.usefixtures("worker", "sandbox")
async def test_a_rolling_restart_fails_no_request(
    kind: str, environ: dict[str, str], tools: Tools, tmp_path: Path
) -> None:
    statuses = []
    with (
        replicas(environ, tmp_path, GATEWAY_DRAIN_DELAY=delay_for(kind)) as (one, other),
        front(kind, tools, tmp_path / "front", (one.port, other.port)) as served,
    ):
        async with load(served.url, pause_for(kind)) as outcomes:
            for _ in range(RESTARTS):
                # Not even HAProxy is waited for: it knows that one is back before the next is away.
                statuses += [await replica.restart() for replica in (one, other)]
        assert "no server available" not in served.logged()
    assert statuses == [0] * (2 * RESTARTS)
    assert len(outcomes) > 100
    assert {outcome.status for outcome in outcomes} <= {"200", "202"}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", DEBIAN)
@pytest.mark.usefixtures("worker", "sandbox")
async def test_a_killed_gateway_costs_what_it_had_and_no_more(
    kind: str, environ: dict[str, str], tools: Tools, tmp_path: Path
) -> None:
    with (
        replicas(environ, tmp_path) as (one, other),
        front(kind, tools, tmp_path / "front", (one.port, other.port)) as served,
    ):
        lost: list[Outcome] = []
        for replica in (one, other, one):
            async with load(served.url, pause=0.1) as outcomes:
                await _until_more(outcomes, 30)
                gone = await replica.kill()
                await _until_more(outcomes, 60)
            # If it started sooner, HAProxy would not have seen it down, nor up again.
            await _until_it_is(served, replica, "DOWN")
            await asyncio.to_thread(replica.start)
            await _until_it_is(served, replica, "UP")
            failed = [each for each in outcomes if each.status not in ("200", "202")]
            # Each client has one upload at a time, which may have been in progress there.
            losses = Counter(each.client for each in failed)
            assert max(losses.values(), default=0) <= 1, failed
            assert [each for each in failed if each.begun > gone] == []
            lost += failed
    # Only what had been sent: its outcome is unknown.
    answered = [each for each in lost if each.problem is not None]
    assert {each.status for each in answered} <= {"502"}, lost
    assert {each.problem["outcome"] for each in answered if each.problem} <= {"unknown"}
    # HAProxy closes a connection that had an answer before, for its client to send anew. aiohttp
    # has another error for it if the client was still sending.
    broken = {each.status.partition("(")[0] for each in lost if each.problem is None}
    closed = {"ServerDisconnectedError", "ClientOSError"} if served.kind == "haproxy" else set()
    assert broken <= closed, lost


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", DEBIAN)
@pytest.mark.usefixtures("worker", "sandbox")
async def test_the_sdk_keeps_its_session_over_a_rolling_restart(
    kind: str, environ: dict[str, str], tools: Tools, node: Path, tmp_path: Path
) -> None:
    file = tmp_path / "f.png"
    file.write_bytes(png())
    with (
        replicas(
            environ, tmp_path, GATEWAY_DRAIN_DELAY=delay_for(kind), GATEWAY_GRANTS="relay"
        ) as both,
        front(kind, tools, tmp_path / "front", (both[0].port, both[1].port)) as served,
    ):
        async with Runtime.open(node, served.url, tmp_path / "sdk.log") as sdk:
            await sdk.call("start", username="jane@chatkitty.com")
            await sdk.call("open", id=CHANNEL)
            for replica in both:
                assert await replica.restart() == 0
                await sdk.call("ready")
                # With the grant and the subscriptions that it has had since its start.
                sent = await sdk.call("upload", path=str(file))
                while (await sdk.event("message"))["message"] != sent["message"]:
                    pass
            await sdk.event("offline")


async def _until_more(outcomes: Sequence[Outcome], more: int) -> None:
    wanted = len(outcomes) + more
    async with asyncio.timeout(PATIENCE):
        while len(outcomes) < wanted:
            await asyncio.sleep(0.01)
