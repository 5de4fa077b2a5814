"""An identity provider, and gateways that trust it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.flows.recorder import Recorder, recording
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.provider import KEY, Provider


@pytest.fixture(scope="session")
def identity_provider(node: Path, servers_dir: Path) -> Iterator[Provider]:
    with Provider.start(node, servers_dir) as provider:
        asyncio.run(provider.generate(KEY))
        yield provider


@pytest.fixture
async def provider(identity_provider: Provider) -> AsyncIterator[Provider]:
    """The identity provider; what a test changes is undone at the test's end."""
    await identity_provider.forget()
    yield identity_provider
    await identity_provider.heal()
    await identity_provider.up()
    await identity_provider.publish(KEY)


@pytest.fixture(scope="session")
def upstream() -> Iterator[Recorder]:
    """An upstream that accepts every token: the gateway has verified it before."""
    with recording() as recorder:
        yield recorder


@pytest.fixture
def trusting(
    provider: Provider, upstream: Recorder, environ: dict[str, str], servers_dir: Path
) -> Iterator[StartGateway]:
    """Starts a gateway that trusts the provider, with more settings of its own, for one test."""
    with ExitStack() as stack:

        def start(**settings: str) -> Gateway:
            own = {"upstream_url": upstream.url, "delivery": "relay", **provider.settings}
            changed = {f"GATEWAY_{n.upper()}": value for n, value in (own | settings).items()}
            return stack.enter_context(Gateway.start({**environ, **changed}, servers_dir))

        yield start
