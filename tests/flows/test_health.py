"""What the public learns of the gateway's state, and what that costs."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chaos.servers.listening import listening
from gateway.stack.ports import HOST, free_port
from tests.flows.client import Client
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import TOKENS

PATIENCE = 60.0
ASKED = 200


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[str, list[bytes]]]:
    """An upstream that answers anything, and the requests that it received."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readuntil(b"\r\n\r\n"):
            asked.append(request)
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async with listening(serve) as url:
        yield url, asked


async def test_readiness_checks_send_nothing_to_the_upstream(
    start_gateway: StartGateway, upstream: tuple[str, list[bytes]]
) -> None:
    url, asked = upstream
    gateway = start_gateway(upstream_url=url)
    async with Client.open(gateway.url, TOKENS["alice"]) as client, asyncio.timeout(PATIENCE):
        await gateway.until_ready()
        for _ in range(ASKED):
            ready = await client.request("GET", "/gateway/readyz")
            assert (ready.status, ready.json()) == (200, {"status": "ready"})
        assert asked == []


async def test_the_public_answer_does_not_say_what_is_wrong(start_gateway: StartGateway) -> None:
    nowhere = f"http://{HOST}:{free_port()}"
    gateway = start_gateway(upstream_url=nowhere)
    async with Client.open(gateway.url, TOKENS["alice"]) as client, asyncio.timeout(PATIENCE):
        faults = {"store"}
        while "store" in faults:  # which has just started, and may take long to answer
            told = await client.request("GET", f"{gateway.admin_url}/gateway/readyz")
            assert told.status == 503
            faults = set(told.json()["faults"])
        assert faults == {"upstream"}
        ready = await client.request("GET", "/gateway/readyz")
        assert (ready.status, ready.json()) == (503, {"status": "unready"})
