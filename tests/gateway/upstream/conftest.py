"""What the tests of the ChatKitty side share."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.upstream.client import ChatKitty
from tests.gateway.upstream.scripted import ScriptedServer


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedServer]:
    """A ChatKitty that does as it is told."""
    async with ScriptedServer.start() as server:
        yield server


@pytest.fixture
async def client(upstream: ScriptedServer) -> AsyncIterator[ChatKitty]:
    """The client of that ChatKitty."""
    async with ChatKitty.open(upstream.url, timeout=30.0) as chatkitty:
        yield chatkitty


@pytest.fixture
def refusing_url() -> Iterator[str]:
    """A URL at which connections are refused: its port is taken, but nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
async def seen() -> asyncio.Event:
    """Set once a silent server has read a request."""
    return asyncio.Event()
