"""A Redis over TLS, as clouds have it: HAProxy before a real Valkey."""

import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.errors import QueueUnavailable
from gateway.queue import TaskQueue
from gateway.settings import Settings, load
from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.probes import listens
from gateway.stack.valkey import Valkey
from tests.deploy.certificate import make_certificate
from tests.deploy.tools import Tools

Ask = Callable[[Settings], Awaitable[None]]

_CONFIGURATION = """
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen redis
    bind {host}:{port} ssl crt {pem}
    server valkey {host}:{valkey}
"""


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "redis.pem")


@pytest.fixture(scope="module")
def settings(
    valkey: Valkey, tools: Tools, tmp_path_factory: pytest.TempPathFactory, pem: Path
) -> Iterator[Settings]:
    port = free_port()
    directory = tmp_path_factory.mktemp("haproxy")
    file = directory / "redis.cfg"
    file.write_text(_CONFIGURATION.format(host=HOST, port=port, pem=pem, valkey=valkey.port))
    argv = [str(tools.path("haproxy")), "-f", str(file)]
    with Part(Command("redis-tls", argv, lambda: listens(HOST, port), grace=5.0), directory):
        url = f"rediss://{HOST}:{port}/0"
        yield load({"GATEWAY_REDIS_URL": url, "GATEWAY_SECRET_KEY": Fernet.generate_key().decode()})


async def _ask_redis(settings: Settings) -> None:
    async with Redis.from_url(settings.redis) as client:
        await client.ping()


async def _ask_broker(settings: Settings) -> None:
    TaskQueue(settings.broker, ()).probe()  # on a connection of its own


@pytest.mark.parametrize(
    ("ask", "refusal"), [(_ask_redis, RedisError), (_ask_broker, QueueUnavailable)]
)
async def test_a_certificate_is_asked_for_and_verified(
    ask: Ask,
    refusal: type[Exception],
    settings: Settings,
    pem: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # OpenSSL's own variable: who believes that certificate, and who believes none.
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    await ask(settings)
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    with pytest.raises(refusal):
        await ask(settings)
