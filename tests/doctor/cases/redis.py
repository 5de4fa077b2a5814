"""Broken set-ups of Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from redis import Redis

from tests.doctor.ground import NOWHERE, Break, Case, Changes, Ground, settings
from tests.doctor.wires import behind_tls, called, own_redis, sentinel, silent, website


def own(*options: str, user: str = "", database: int = 0) -> Break:
    """A Redis that was started so, and what its URL has beside the address."""

    @asynccontextmanager
    async def broken(ground: Ground) -> AsyncIterator[Changes]:
        with own_redis(ground.directory, *options) as address:
            yield {"REDIS_URL": f"redis://{user}{address}/{database}"}

    return broken


def redis_url(template: str) -> Break:
    """A wrong URL of the Redis that works."""

    @asynccontextmanager
    async def broken(ground: Ground) -> AsyncIterator[Changes]:
        yield {"REDIS_URL": template.format(ground.redis)}

    return broken


@asynccontextmanager
async def redis_with_few_rights(ground: Ground) -> AsyncIterator[Changes]:
    with own_redis(ground.directory) as address, Redis.from_url(f"redis://{address}") as redis:
        commands = ["+@all", "-@scripting"]
        redis.acl_setuser("clerk", enabled=True, nopass=True, keys=["*"], commands=commands)
        yield {"REDIS_URL": f"redis://clerk:any@{address}/0"}


@asynccontextmanager
async def full_redis(ground: Ground) -> AsyncIterator[Changes]:
    with own_redis(ground.directory, "--maxmemory", "1") as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


@asynccontextmanager
async def old_redis(ground: Ground) -> AsyncIterator[Changes]:
    async with called(ground.redis, "5.0.9") as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


@asynccontextmanager
async def sentinel_as_redis(ground: Ground) -> AsyncIterator[Changes]:
    with sentinel(ground.directory) as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


@asynccontextmanager
async def replica(ground: Ground) -> AsyncIterator[Changes]:
    host, _, port = ground.redis.partition(":")
    with own_redis(ground.directory, "--replicaof", f"{host} {port}") as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


@asynccontextmanager
async def redis_behind_tls(ground: Ground) -> AsyncIterator[Changes]:
    async with behind_tls(ground.redis, ground.directory) as address:
        yield {"REDIS_URL": f"rediss://{address}/0"}


@asynccontextmanager
async def redis_without_tls_to_tls(ground: Ground) -> AsyncIterator[Changes]:
    async with behind_tls(ground.redis, ground.directory) as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


@asynccontextmanager
async def redis_is_a_website(_: Ground) -> AsyncIterator[Changes]:
    async with website() as url:
        yield {"REDIS_URL": url.replace("http:", "redis:")}


@asynccontextmanager
async def frozen_redis(_: Ground) -> AsyncIterator[Changes]:
    async with silent() as address:
        yield {"REDIS_URL": f"redis://{address}/0"}


REDIS: Final = [
    Case(
        "nothing runs there",
        "redis",
        "nothing listens at the address of Redis",
        "start it, or correct GATEWAY_REDIS_URL",
        settings(REDIS_URL=f"redis://{NOWHERE}"),
    ),
    Case(
        "it hangs, or a firewall drops packets",
        "redis",
        "Redis does not answer in time",
        "restart it if it hangs, allow this machine to connect to it, or correct GATEWAY_REDIS_URL"
        " (host, port, TLS or not)",
        frozen_redis,
    ),
    Case(
        "something else in its place",
        "redis",
        "the server at that address is not Redis",
        "correct GATEWAY_REDIS_URL",
        redis_is_a_website,
    ),
    Case(
        "a wrong password",
        "redis",
        "refuses the password or the user",
        "correct GATEWAY_REDIS_PASSWORD and GATEWAY_REDIS_USERNAME",
        own("--requirepass", "right", user=":wrong@"),
    ),
    Case(
        "no password, but Redis requires one",
        "redis",
        "requires a password",
        "set GATEWAY_REDIS_PASSWORD",
        own("--requirepass", "right"),
    ),
    Case(
        "a user with too few rights",
        "redis",
        "refuses a command or key that gateways need",
        "give its user the rights of docs/redis.md",
        redis_with_few_rights,
    ),
    Case(
        "no such database",
        "redis",
        "has no database of that number",
        "correct the end of GATEWAY_REDIS_URL",
        redis_url("redis://{}/99999"),
    ),
    Case(
        "it is full",
        "redis",
        "is full",
        "raise its maxmemory, or remove what else is in it",
        full_redis,
    ),
    Case(
        "too few replicas for its own rule",
        "redis",
        "has too few replicas to accept writes",
        "start them, or lower min-replicas-to-write",
        own("--min-replicas-to-write", "1"),
    ),
    Case(
        "a replica",
        "redis",
        "is a replica, which accepts no writes",
        "name the primary, or its sentinels",
        replica,
    ),
    Case(
        "it evicts queues when it is full",
        "redis",
        "maxmemory-policy is allkeys-lru, which evicts queues and locks",
        "set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in its configuration)",
        own("--maxmemory-policy", "allkeys-lru"),
    ),
    Case(
        "an old version",
        "redis",
        "version 5.0… is too old",
        "use Redis 6.2, or any Valkey",
        old_redis,
    ),
    Case(
        "the URL of a server, but a sentinel is there",
        "redis",
        "is a sentinel, which keeps no data",
        "write redis+sentinel://HOST:PORT,…/MASTER for it, or name the primary",
        sentinel_as_redis,
    ),
    Case(
        "a cluster",
        "redis",
        "is a cluster",
        "Celery and the gateway's scripts take several keys at a time, which a cluster keeps on"
        " different servers; use one primary, with replicas and Sentinel if it is to fail over",
        own("--cluster-enabled", "yes"),
    ),
    Case(
        "rediss:// to a port without TLS",
        "redis",
        "Redis does not answer in time",
        "restart it if it hangs, allow this machine to connect to it, or correct GATEWAY_REDIS_URL"
        " (host, port, TLS or not)",
        redis_url("rediss://{}/0"),
    ),
    Case(
        "redis:// to a port with TLS",
        "redis",
        "breaks connections without an answer",
        "correct the scheme (TLS or not) and the port in GATEWAY_REDIS_URL",
        redis_without_tls_to_tls,
    ),
    Case(
        "a certificate of an unknown authority",
        "redis",
        "the certificate of Redis cannot be verified (…)",
        "name the file of its CA in GATEWAY_REDIS_CA_FILE, and use the certificate's host name in"
        " GATEWAY_REDIS_URL",
        redis_behind_tls,
    ),
]
