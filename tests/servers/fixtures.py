"""Real servers, started once and stopped at the end; tests undo what they change."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from chaos.servers.rabbitmq import RabbitMQ
from gateway.stack.part import Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.seaweedfs import SeaweedFS
from gateway.stack.valkey import Valkey
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from tests.clients.install import install_node
from tests.flows.client import Client
from tests.servers import rabbitmq as rabbit
from tests.servers import s3_api, secrets
from tests.servers.databases import Databases
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import TOKENS, Sandbox
from tests.servers.zygote import ForkedPart
from workers.sniff import Sniffer

s3_api.read_once()

StartGateway = Callable[..., Gateway]


@pytest.fixture(scope="session")
def servers_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of all servers; once they have stopped, it may contain no secret.

    The store and the sandbox know theirs; the content of the bucket has its own test. Redis has
    records of relays with ChatKitty's answers, which name the hosted picture of their user.
    """
    directory = tmp_path_factory.mktemp("servers")
    yield directory
    written = list(secrets.files_below(directory, but=("s3", "sandbox")))
    assert secrets.found_in(written, secrets.known()) == []
    logs = secrets.files_below(directory, but=("s3", "sandbox", "valkey"))
    assert secrets.links_in(logs) == []


@pytest.fixture(scope="session")
def node() -> Path:
    """Node.js, with the packages of the lockfile."""
    return install_node()


@pytest.fixture(scope="session")
def valkey(servers_dir: Path) -> Iterator[Valkey]:
    server = Valkey(servers_dir / "valkey", free_port())
    with Part(server.command(), servers_dir):
        yield server


@pytest.fixture(scope="module")
def module_valkey(servers_dir: Path) -> Iterator[Valkey]:
    """A server of one module's tests, which may count its commands, and pause it."""
    port = free_port()
    directory = servers_dir / f"valkey-{port}"
    server = Valkey(directory, port)
    with Part(server.command(), directory):
        yield server


@pytest.fixture(scope="session")
def databases(valkey: Valkey) -> Databases:
    return Databases(valkey.url.rpartition("/")[0])


@pytest.fixture
def own_redis_url(databases: Databases) -> Iterator[str]:
    """An empty database of one test."""
    with databases.lend() as url:
        yield url


@pytest.fixture(scope="module")
def module_redis_url(databases: Databases) -> Iterator[str]:
    """An empty database of one module's tests."""
    with databases.lend() as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq(servers_dir: Path) -> Iterator[RabbitMQ]:
    """A node of RabbitMQ; tests that stop it start one of their own."""
    with rabbit.started(servers_dir / "rabbitmq") as node:
        yield node


@pytest.fixture
def vhost_url(rabbitmq: RabbitMQ) -> Iterator[str]:
    """An empty virtual host of one test."""
    with rabbitmq.lend_vhost() as url:
        yield url


@pytest.fixture(scope="session")
def seaweedfs(servers_dir: Path) -> Iterator[SeaweedFS]:
    server = SeaweedFS(servers_dir / "s3", free_port(), "test-key", "test-secret")
    with Part(server.command(), servers_dir) as part:
        asyncio.run(_ensure_bucket(server))
        yield server
        part.kill()  # an orderly end would take seconds, to save what no test reads


async def _ensure_bucket(server: SeaweedFS) -> None:
    async with open_store(server) as store:
        await store.ensure_bucket()


@pytest.fixture(scope="session")
def sandbox_server(servers_dir: Path) -> Iterator[Sandbox]:
    with Sandbox.start(servers_dir / "sandbox") as server:
        yield server


@pytest.fixture
async def sandbox(sandbox_server: Sandbox) -> AsyncIterator[Sandbox]:
    """The sandbox; faults that a test sets end with the test."""
    yield sandbox_server
    await sandbox_server.heal()


@pytest.fixture(scope="session")
def environ(valkey: Valkey, seaweedfs: SeaweedFS, sandbox_server: Sandbox) -> dict[str, str]:
    """The settings that gateways and workers share."""
    return {
        "GATEWAY_HOST": HOST,
        "GATEWAY_DRAIN_DELAY": "0",
        "GATEWAY_SECRET_KEY": Fernet.generate_key().decode(),
        "GATEWAY_UPSTREAM_URL": sandbox_server.url,
        "GATEWAY_UPSTREAM_TOKEN_URL": f"{sandbox_server.url}/oauth/token",
        "GATEWAY_UPSTREAM_CLIENT_ID": "gateway",
        "GATEWAY_UPSTREAM_CLIENT_SECRET": "the-gateways-own-secret",
        "GATEWAY_UPSTREAM_TIMEOUT": "5",
        "GATEWAY_ORPHAN_RETENTION": "45",
        "GATEWAY_REDIS_URL": valkey.url,
        **seaweedfs.settings(),
        "GATEWAY_AUTH": "static,upstream",
        "GATEWAY_AUTH_STATIC_TOKENS": ",".join(f"{s}:{t}" for s, t in TOKENS.items()),
    }


@pytest.fixture(scope="session")
def worker(
    environ: dict[str, str], valkey: Valkey, seaweedfs: SeaweedFS, servers_dir: Path
) -> Iterator[ForkedPart]:
    asyncio.run(_forget_uploads(valkey, seaweedfs))
    with start_worker(environ, servers_dir) as part:
        yield part


async def _forget_uploads(valkey: Valkey, seaweedfs: SeaweedFS) -> None:
    """Forget uploads of tests without a worker, or they would end during another test."""
    async with Redis.from_url(valkey.url) as redis:
        await redis.delete(*Step, keys.DUE)
    async with open_store(seaweedfs) as store:
        await store.delete_all([info.key async for info in store.list(keys.PENDING)])


@pytest.fixture(scope="session")
def relay_gateway(environ: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    with Gateway.start({**environ, "GATEWAY_DELIVERY": "relay"}, servers_dir) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def plain_relay_gateway(environ: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    settings = {"GATEWAY_DELIVERY": "relay", "GATEWAY_ENGINE": "plain"}
    with Gateway.start({**environ, **settings}, servers_dir) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def external_gateway(environ: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    with Gateway.start({**environ, "GATEWAY_DELIVERY": "external"}, servers_dir) as gateway:
        yield gateway


@pytest.fixture
def start_gateway(environ: dict[str, str], servers_dir: Path) -> Iterator[StartGateway]:
    """Starts a gateway with settings of its own, for one test."""
    with ExitStack() as stack:

        def start(**settings: str) -> Gateway:
            changed = {f"GATEWAY_{name.upper()}": value for name, value in settings.items()}
            return stack.enter_context(Gateway.start({**environ, **changed}, servers_dir))

        yield start


@pytest.fixture
def everything(worker: ForkedPart, sandbox: Sandbox) -> tuple[ForkedPart, Sandbox]:
    """What has to run next to a gateway."""
    return worker, sandbox


def _alice_at(gateway: Gateway, worker: ForkedPart) -> AbstractAsyncContextManager[Client]:
    assert worker.exit_status is None
    return Client.open(gateway.url, TOKENS["alice"])


@pytest.fixture
async def fast_relay(
    relay_gateway: Gateway, everything: tuple[ForkedPart, Sandbox]
) -> AsyncIterator[Client]:
    """Alice, at a gateway that relays by the fast engine."""
    async with _alice_at(relay_gateway, everything[0]) as client:
        yield client


@pytest.fixture(params=["fast_relay", "plain_relay"])
def relay(request: pytest.FixtureRequest) -> Client:
    """Alice, at a gateway that relays, by either engine."""
    found: Client = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def plain_relay(
    plain_relay_gateway: Gateway, everything: tuple[ForkedPart, Sandbox]
) -> AsyncIterator[Client]:
    """Alice, at a gateway that relays by the plain engine."""
    async with _alice_at(plain_relay_gateway, everything[0]) as client:
        yield client


@pytest.fixture
async def external(
    external_gateway: Gateway, everything: tuple[ForkedPart, Sandbox]
) -> AsyncIterator[Client]:
    """Alice, at a gateway that hosts all files that can be hosted."""
    async with _alice_at(external_gateway, everything[0]) as client:
        yield client


@pytest.fixture
async def store(seaweedfs: SeaweedFS) -> AsyncIterator[S3Store]:
    """The bucket."""
    async with open_store(seaweedfs) as opened:
        yield opened


def open_store(server: SeaweedFS) -> AbstractAsyncContextManager[S3Store]:
    return S3Store.open(
        endpoint_url=server.endpoint_url,
        bucket=server.bucket,
        region="us-east-1",
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sniffer() -> AsyncIterator[Sniffer]:
    """With the real libmagic, for all tests of a module."""
    async with Sniffer.open() as opened:
        yield opened
