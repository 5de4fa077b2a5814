"""A Redis over TLS, as clouds have it: HAProxy before a real Valkey."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port
from gateway.stack.valkey import Valkey
from tests.deploy.certificate import make_certificate
from tests.deploy.tools import Tools

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
_ASK = """
import asyncio, sys
from redis.asyncio import Redis
from gateway import settings
from gateway.queue import TaskQueue
loaded = settings.load()
async def redis():
    async with Redis.from_url(str(loaded.redis_url)) as client:
        await client.ping()
asyncio.run(redis()) if sys.argv[1] == "redis" else TaskQueue(loaded.broker, ()).check()
"""


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return make_certificate(tmp_path / "redis.pem")


@pytest.fixture
def url(valkey: Valkey, tools: Tools, tmp_path: Path, pem: Path) -> Iterator[str]:
    port = free_port()
    file = tmp_path / "redis.cfg"
    file.write_text(_CONFIGURATION.format(host=HOST, port=port, pem=pem, valkey=valkey.port))
    haproxy = [str(tools.path("haproxy")), "-f", str(file)]
    url = f"rediss://{HOST}:{port}/0"
    with Part(Command("redis-tls", haproxy, lambda: _asked("redis", url, pem) == 0), tmp_path):
        yield url


@pytest.mark.parametrize("client", ["redis", "broker"])
def test_a_certificate_is_asked_for_and_verified(client: str, url: str, pem: Path) -> None:
    assert _asked(client, url, pem) == 0
    assert _asked(client, url, None) != 0


def _asked(client: str, url: str, believed: Path | None) -> int:
    """The exit status of one that asks a Redis, believing that certificate and no other."""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")},
        "GATEWAY_REDIS_URL": url,
        "GATEWAY_SECRET_KEY": "A" * 43 + "=",
        "SSL_CERT_FILE": str(believed or os.devnull),
    }
    command = [sys.executable, "-c", _ASK, client]
    return subprocess.run(command, env=environ, capture_output=True, check=False).returncode
