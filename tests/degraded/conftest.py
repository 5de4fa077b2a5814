"""A stack of the test's own: the test stops, freezes, wipes and restarts its parts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from chaos.servers.freezing import frozen
from gateway.stack.part import Command, Part
from gateway.stack.ports import free_port
from gateway.stack.valkey import Valkey
from tests.crashes.conftest import LATER, PATH, Stage
from tests.flows import files
from tests.flows.client import PATIENCE, Answer, Client
from tests.servers.aged_store import open_aged_backends, sweep_later
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import TOKENS, Sandbox
from tests.servers.zygote import ForkedPart

IMPORTS = "/v1/imports/users"
RESPOND_ASYNC = {"Prefer": "respond-async"}

__all__ = [
    "IMPORTS",
    "PATH",
    "RESPOND_ASYNC",
    "Scene",
    "Server",
    "all_inspected",
    "eventually",
    "told_to_return",
    "told_unready",
]


class Server:
    """A server of the test's own, which comes back at the same address."""

    def __init__(self, command: Callable[[], Command], directory: Path) -> None:
        self._command = command
        self._directory = directory
        self._part = self._start()

    def _start(self) -> Part:
        return Part(self._command(), self._directory).wait_ready()

    def stop(self) -> None:
        self._part.kill()

    def start(self) -> None:
        self._part = self._start()

    @contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its connections stay open, and nothing is answered."""
        with frozen(self._part.pid):
            yield


@dataclass
class Scene(Stage):
    """The stage of a test in which parts are down, and processes continue."""

    def start_gateway(self, **settings: str) -> Gateway:
        changed = {f"GATEWAY_{name.upper()}": value for name, value in settings.items()}
        environ = {**self.environ, **changed}
        return self.stack.enter_context(Gateway.start(environ, self.directory))

    def start_worker(self, **environ: str) -> ForkedPart:
        return self.stack.enter_context(start_worker({**self.environ, **environ}, self.directory))

    def alice(self, gateway: Gateway) -> AbstractAsyncContextManager[Client]:
        return Client.open(gateway.url, TOKENS["alice"])

    async def sweep(self) -> None:
        """Run one pass of a sweeper; workers do the work."""
        await sweep_later(self.backends, LATER)

    async def is_registered_once(self, client: Client, answer: Answer) -> bool:
        """Whether the upload is registered, and ChatKitty has its file once."""
        resource = await client.end_of(answer.upload_id)
        urls = [message["file"]["url"] for message in await self.messages()]
        return resource["state"] == "registered" and urls.count(resource["url"]) == 1

    async def is_in_doubt(self, answer: Answer) -> bool:
        """Whether the outcome at ChatKitty is unknown, and no worker is processing the upload."""
        attempt = (await self.backends.ledger.find(answer.upload_id)).attempt
        return attempt is not None and attempt.unknown and not attempt.lease


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """A Valkey that no other test uses, and its URL."""
    valkey = Valkey(tmp_path / "valkey", free_port())
    server = Server(valkey.command, tmp_path)
    yield server, valkey.url
    server.stop()


@pytest.fixture
def redis_server(own_redis: tuple[Server, str]) -> Server:
    return own_redis[0]


@pytest.fixture
def own_environ(environ: dict[str, str], own_redis: tuple[Server, str]) -> dict[str, str]:
    """Settings of a stack with its own Redis, broker and bucket; the test may change them."""
    return {
        **environ,
        "GATEWAY_DELIVERY": "external",
        "GATEWAY_REDIS_URL": own_redis[1],
        "GATEWAY_S3_BUCKET": f"degraded-{uuid4()}",
    }


@pytest.fixture
async def scene(
    own_environ: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> AsyncIterator[Scene]:
    async with open_aged_backends(own_environ) as backends:
        with ExitStack() as stack:
            yield Scene(own_environ, tmp_path, backends, sandbox, stack)


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    """Check again and again, until it is true."""
    async with asyncio.timeout(PATIENCE):
        while not await look():
            await asyncio.sleep(0.05)


async def all_inspected(client: Client, count: int) -> list[str]:
    """Send `count` uploads, and wait until a worker has inspected all of them; their ids."""

    async def send() -> str:
        return (await client.upload(PATH, files.PNG, headers=RESPOND_ASYNC)).upload_id

    ids = await asyncio.gather(*(send() for _ in range(count)))

    async def are_inspected() -> bool:
        seen = await asyncio.gather(*map(client.resource, ids))
        return [resource["state"] for resource in seen] == ["inspected"] * count

    await eventually(are_inspected)
    return list(ids)


def told_to_return(answer: Answer, slug: str) -> bool:
    """Whether the answer is a 503 of that kind with a `Retry-After`."""
    assert answer.status == 503, answer.body
    return answer.json()["type"].endswith(f":{slug}") and int(answer.headers["Retry-After"]) >= 1


async def told_unready(client: Client, gateway: Gateway, part: str) -> None:
    """Wait until the gateway is not ready, and reports the missing part to operators."""

    async def told() -> bool:
        ready = await client.request("GET", f"{gateway.admin_url}/gateway/readyz")
        return ready.status == 503 and part in ready.json()["faults"]

    await eventually(told)
    ready = await client.request("GET", "/gateway/readyz")
    assert (ready.status, ready.json()) == (503, {"status": "unready"})
