"""Without WebSocket, ChatKitty's SDK speaks SockJS: its transports pass through the gateway.

A real server and a real client. Each message is an answer to the one before: a gateway that held a
stream back until its end would let none arrive.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.probes import listens
from tests.clients.drivers import ENVIRONMENT
from tests.clients.install import NODE
from tests.flows.client import PATIENCE
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway

PROGRAM = str(NODE / "sockjs.mjs")
TRANSPORTS = ("xhr-streaming", "xhr-polling", "eventsource", "websocket")


@pytest.fixture(scope="module")
def server(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a SockJS server that echoes."""
    port = free_port()
    argv = [str(node), PROGRAM, "serve", str(port)]
    command = Command("sockjs", argv, lambda: listens(HOST, port), ENVIRONMENT, patience=PATIENCE)
    with Part(command, tmp_path_factory.mktemp("sockjs")):
        yield f"http://{HOST}:{port}"


@pytest.fixture(params=["fast", "plain"])
def gateway(request: pytest.FixtureRequest, server: str, start_gateway: StartGateway) -> Gateway:
    return start_gateway(engine=request.param, upstream_url=server)


async def test_each_transport_passes_as_it_arrives(node: Path, gateway: Gateway) -> None:
    process = await asyncio.create_subprocess_exec(
        *(str(node), PROGRAM, "echo", f"{gateway.url}/rtm", *TRANSPORTS),
        stdout=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert json.loads(output) == {
        name: {"by": name, "code": 1000, "echoed": 4} for name in TRANSPORTS
    }
