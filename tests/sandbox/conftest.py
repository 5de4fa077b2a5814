from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.flows.client import Client
from tests.servers.sandbox import TOKENS, Sandbox


@pytest.fixture(scope="module")
def own_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that no other module changes."""
    with Sandbox.start(tmp_path_factory.mktemp("sandbox") / "data") as server:
        yield server


@pytest.fixture
async def sandbox(own_sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    yield own_sandbox
    await own_sandbox.heal()
    await own_sandbox.forget_requests()


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    async with Client.open(sandbox.url, TOKENS["alice"]) as opened:
        yield opened


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"
