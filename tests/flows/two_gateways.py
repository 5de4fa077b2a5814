"""Two gateways with one worker, and a client of each."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tests.flows.client import Client
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import TOKENS

Pair = tuple[Gateway, Gateway]


@contextmanager
def two_gateways(settings: Mapping[str, str], directory: Path) -> Iterator[Pair]:
    with (
        start_worker(settings, directory),
        Gateway.start(settings, directory) as first,
        Gateway.start(settings, directory) as second,
    ):
        yield first, second


@asynccontextmanager
async def clients_of(gateways: Pair) -> AsyncIterator[tuple[Client, Client]]:
    """Alice at each."""
    async with (
        Client.open(gateways[0].url, TOKENS["alice"]) as first,
        Client.open(gateways[1].url, TOKENS["alice"]) as second,
    ):
        yield first, second
