"""A primary, its replica, and three sentinels with passwords of their own."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from chaos.servers.freezing import freeze
from gateway.stack.part import Command, Part
from gateway.stack.ports import HOST, free_ports
from gateway.stack.valkey import Valkey
from tests.flows.client import PATIENCE

MASTER = "uploads"
USER, PASSWORD = "chatkitty", "p@ss:w/rd%#?&+é"
SENTINELS_PASSWORD = "of-the-sentinels"
DOWN_AFTER = 1.0
"""Seconds after which a sentinel considers a silent server dead."""

_ADMIN = "user default on nopass ~* &* +@all\n"


@dataclass
class Fleet:
    """As above; `servers` are the primary first, and its replica."""

    servers: list[Valkey]
    parts: dict[int, Part]
    """By port."""
    sentinel_ports: list[int]

    @property
    def hosts(self) -> str:
        return ",".join(f"{HOST}:{port}" for port in self.sentinel_ports)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "GATEWAY_REDIS_URL": f"redis+sentinel://{self.hosts}/{MASTER}/2",
            "GATEWAY_REDIS_USERNAME": USER,
            "GATEWAY_REDIS_PASSWORD": PASSWORD,
            "GATEWAY_REDIS_SENTINEL_PASSWORD": SENTINELS_PASSWORD,
        }

    @property
    def url(self) -> str:
        """The same in one URL."""
        login = f"{USER}:{quote(PASSWORD, '')}"
        sentinels = f"sentinel_password={quote(SENTINELS_PASSWORD, '')}"
        return f"redis+sentinel://{login}@{self.hosts}/{MASTER}/2?{sentinels}"

    def primary(self) -> int | None:
        """The port of the primary, once all sentinels and the server itself agree."""
        told = {self._told(port) for port in self.sentinel_ports}
        (port,) = told if len(told) == 1 else (None,)
        if port is None:
            return None
        with suppress(RedisError), _open(port) as redis:
            if redis.info("replication")["role"] == "master":
                return port
        return None

    def _told(self, sentinel: int) -> int | None:
        with suppress(RedisError), _open(sentinel, SENTINELS_PASSWORD) as redis:
            return int(redis.sentinel_get_master_addr_by_name(MASTER)[1])
        return None

    def kill_primary(self) -> int:
        """Kill the primary; returns its port."""
        port = self.primary()
        assert port is not None
        self.parts[port].kill()
        return port

    def freeze_primary(self) -> int:
        """Freeze the primary for good; returns its port."""
        port = self.primary()
        assert port is not None
        freeze(self.parts[port].pid)
        return port

    async def has_failed_over(self, before: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while await asyncio.to_thread(self.primary) in (None, before):
                await asyncio.sleep(0.1)


def _open(port: int, password: str | None = None) -> Redis:
    """A client that does not wait for a frozen server."""
    retry = Retry(NoBackoff(), 0)
    return Redis(host=HOST, port=port, password=password, socket_timeout=1, retry=retry)


@contextmanager
def fleet(directory: Path, acl: str = "~* &* +@all") -> Iterator[Fleet]:
    """A set that is ready for a failover; its user has these rights, the default user has all."""
    first, second, *sentinel_ports = free_ports(5)
    servers = [Valkey(directory / f"valkey-{port}", port) for port in (first, second)]
    with ExitStack() as stack:

        def start(command: Command, place: Path) -> Part:
            part = Part(command, place)
            stack.callback(part.kill)
            return part

        parts = {}
        for server in servers:
            command = server.command()
            users = server.data_dir / "users.acl"
            users.write_text(f"{_ADMIN}user {USER} on >{PASSWORD} resetchannels {acl}\n")
            more = ["--aclfile", str(users)]
            if server.port == second:
                more += ["--replicaof", HOST, str(first)]
            command = replace(command, argv=[*command.argv, *more])
            parts[server.port] = start(command, server.data_dir).wait_ready()
        binary = servers[0].command().argv[0]
        for port in sentinel_ports:
            place = directory / f"sentinel-{port}"
            file = _configuration(place, port, first)
            argv = [binary, str(file), "--sentinel"]
            parts[port] = start(Command("sentinel", argv, partial(_knows_all, port)), place)
        for port in sentinel_ports:
            parts[port].wait_ready()
        yield Fleet(servers, parts, list(sentinel_ports))


def _configuration(place: Path, port: int, primary: int) -> Path:
    place.mkdir()
    file = place / "sentinel.conf"
    file.write_text(
        f"""
port {port}
bind {HOST}
dir {place}
requirepass {SENTINELS_PASSWORD}
sentinel sentinel-pass {SENTINELS_PASSWORD}
sentinel monitor {MASTER} {HOST} {primary} 2
sentinel down-after-milliseconds {MASTER} {int(DOWN_AFTER * 1000)}
sentinel failover-timeout {MASTER} 6000
"""
    )
    return file


def _knows_all(port: int) -> bool:
    """Whether the sentinel knows the others and the replica."""
    try:
        with _open(port, SENTINELS_PASSWORD) as redis:
            told = redis.sentinel_master(MASTER)
    except RedisError:
        return False
    return (told["num-slaves"], told["num-other-sentinels"]) == (1, 2)
