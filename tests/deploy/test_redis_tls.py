"""A Redis over TLS, as clouds offer it: HAProxy in front of a real Valkey."""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.fernet import Fernet
from redis.exceptions import RedisError

from gateway.errors import ConfigurationError, QueueUnavailable
from gateway.queue import TaskQueue
from gateway.redis.client import open_client
from gateway.settings import Settings, load
from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_port, free_ports
from gateway.stack.probes import listens, pongs
from gateway.stack.valkey import Valkey
from tests.deploy.certificate import make_certificate
from tests.deploy.tools import Tools
from tests.flows import files
from tests.flows.client import Client
from tests.servers.authority import Authority
from tests.servers.gateway import Gateway, start_worker
from tests.servers.sandbox import CHANNEL, TOKENS

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
    async with open_client(settings.redis, "") as client:
        await client.ping()


async def _ask_broker(settings: Settings) -> None:
    with closing(TaskQueue(settings.broker, {})) as queue:
        queue.probe()  # on a connection of its own


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
    # OpenSSL's own variable: first trust that certificate, then trust none.
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    await ask(settings)
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    with pytest.raises(refusal):
        await ask(settings)


_ASKS_FOR_CERTIFICATES = (
    "    bind {host}:{port} ssl crt {pem} ca-file {authority} verify required\n"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def guarded(
    module_redis_url: str,
    tools: Tools,
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
) -> Iterator[dict[str, str]]:
    """The settings of a Redis that accepts only certificates of the authority."""
    database = urlsplit(module_redis_url)
    port = free_port()
    directory = tmp_path_factory.mktemp("haproxy")
    file = directory / "redis.cfg"
    bind = "    bind {host}:{port} ssl crt {pem}\n"
    file.write_text(
        _CONFIGURATION.replace(bind, _ASKS_FOR_CERTIFICATES).format(
            host=HOST,
            port=port,
            pem=authority.issue_in_one("redis"),
            authority=authority.file,
            valkey=database.port,
        )
    )
    certificate, key = authority.issue("gateway")
    argv = [str(tools.path("haproxy")), "-f", str(file)]
    with Part(Command("redis-mtls", argv, lambda: listens(HOST, port), grace=5.0), directory):
        yield {
            "GATEWAY_REDIS_URL": f"rediss://{HOST}:{port}{database.path}",
            "GATEWAY_REDIS_CA_FILE": str(authority.file),
            "GATEWAY_REDIS_CERT_FILE": str(certificate),
            "GATEWAY_REDIS_KEY_FILE": str(key),
        }


@pytest.mark.usefixtures("sandbox")
async def test_every_part_shows_its_client_certificate(
    environ: dict[str, str], guarded: dict[str, str], tmp_path: Path
) -> None:
    own = {**environ, **guarded, "GATEWAY_DELIVERY": "external"}
    with Gateway.start(own, tmp_path) as gateway, start_worker(own, tmp_path):
        async with Client.open(gateway.url, TOKENS["alice"]) as alice:
            path = f"/v1/channels/{CHANNEL}/messages"
            assert (await alice.upload(path, files.PNG, name="a.png")).status == 200
            relayed = await alice.upload("/v1/imports/users", b"[]", name="users.json")
            assert (await alice.end_of(relayed.upload_id))["state"] == "audited"
            assert (await alice.request("GET", "/gateway/readyz")).status == 200


@pytest.mark.parametrize(
    ("ask", "refusal"), [(_ask_redis, RedisError), (_ask_broker, QueueUnavailable)]
)
@pytest.mark.parametrize(
    "without", [("GATEWAY_REDIS_CA_FILE",), ("GATEWAY_REDIS_CERT_FILE", "GATEWAY_REDIS_KEY_FILE")]
)
async def test_a_missing_certificate_or_authority_ends_the_connection(
    ask: Ask, refusal: type[Exception], without: tuple[str, ...], guarded: dict[str, str]
) -> None:
    key = {"GATEWAY_SECRET_KEY": Fernet.generate_key().decode()}
    await ask(load({**key, **guarded}))
    fewer = {name: value for name, value in guarded.items() if name not in without}
    with pytest.raises(refusal):
        await ask(load({**key, **fewer}))


def test_files_that_cannot_be_used_are_named_at_the_start(
    guarded: dict[str, str], authority: Authority
) -> None:
    key = {"GATEWAY_SECRET_KEY": Fernet.generate_key().decode()}
    _, anothers = authority.issue("another")
    for name, value in (
        ("GATEWAY_REDIS_CA_FILE", "/nowhere.pem"),
        ("GATEWAY_REDIS_CERT_FILE", "/nowhere.pem"),
        ("GATEWAY_REDIS_KEY_FILE", str(anothers)),
    ):
        with pytest.raises(ConfigurationError, match=value):
            load({**key, **guarded, name: value})
    plain = guarded["GATEWAY_REDIS_URL"].replace("rediss", "redis")
    with pytest.raises(ConfigurationError, match=r"GATEWAY_REDIS_CA_FILE.*rediss://"):
        load({**key, **guarded, "GATEWAY_REDIS_URL": plain})


_BY_SENTINEL = """
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
# The sentinel reports the address at which it watches the primary itself, without TLS here.
frontend primary
    bind {host}:{primary}
    tcp-request inspect-delay 5s
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
    tcp-request content accept if {{ req.len gt 4 }}
    use_backend secure if {{ req.ssl_hello_type 1 }}
    default_backend plain
backend secure
    server itself {host}:{secure}
backend plain
    server valkey {host}:{valkey}
listen primary-tls
    bind {host}:{secure} ssl crt {pem} ca-file {authority} verify required
    server valkey {host}:{valkey}
listen sentinel-tls
    bind {host}:{sentinel_tls} ssl crt {pem} ca-file {authority} verify required
    server sentinel {host}:{sentinel}
"""


@pytest.fixture
def behind_sentinel(
    valkey: Valkey, tools: Tools, tmp_path: Path, authority: Authority, guarded: dict[str, str]
) -> Iterator[dict[str, str]]:
    """The settings of a server and a sentinel that both ask for a certificate."""
    primary, secure, sentinel, sentinel_tls = free_ports(4)
    ports = {"primary": primary, "secure": secure, "sentinel": sentinel}
    file = tmp_path / "redis.cfg"
    file.write_text(
        _BY_SENTINEL.format(
            host=HOST,
            pem=authority.issue_in_one("both"),
            authority=authority.file,
            valkey=valkey.port,
            sentinel_tls=sentinel_tls,
            **ports,
        )
    )
    conf = tmp_path / "sentinel.conf"
    conf.write_text(
        f"port {sentinel}\nbind {HOST}\ndir {tmp_path}\nsentinel monitor main {HOST} {primary} 1\n"
    )
    argv = [valkey.command().argv[0], str(conf), "--sentinel"]
    proxy = [str(tools.path("haproxy")), "-f", str(file)]
    with (
        Part(Command("proxy", proxy, lambda: listens(HOST, sentinel_tls), grace=5.0), tmp_path),
        Part(Command("sentinel", argv, lambda: pongs(HOST, sentinel)), tmp_path),
    ):
        url = f"rediss+sentinel://{HOST}:{sentinel_tls}/main/0"
        yield {**guarded, "GATEWAY_REDIS_URL": url}


@pytest.mark.parametrize("ask", [_ask_redis, _ask_broker])
async def test_sentinels_and_their_server_are_shown_the_certificate(
    ask: Ask, behind_sentinel: dict[str, str]
) -> None:
    key = {"GATEWAY_SECRET_KEY": Fernet.generate_key().decode()}
    await ask(load({**key, **behind_sentinel}))
