"""Redis or Valkey: used as gateways use it; also its behaviour when it is full or stops."""

from collections.abc import Mapping, Sequence
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from gateway.doctor.refusals import Names, explained
from gateway.doctor.sentinels import Primary, find_primary
from gateway.errors import ConfigurationError
from gateway.redis.address import NO_CLUSTER
from gateway.redis.client import open_client

OLDEST: Final = (6, 2)
"""The oldest version that still gets fixes, from its developers or from distributions."""

_SECONDS: Final = 5.0
_PROBE_SECONDS: Final = 60
_PROBE_SCRIPT: Final = """
redis.call("SET", KEYS[1], "probe", "EX", ARGV[1])
return redis.call("GET", KEYS[1])
"""
_OTHERS_BINDING: Final = "_kombu.binding.celery"
"""Keys that Celery applications with default names leave; ours has other names."""

_NO_INFO: Final = (
    "allow the Redis user to run INFO: without it, doctor cannot detect a replica, an eviction"
    " policy that loses queues, or a version that is too old"
)


async def check_redis(url: str, prefix: str, probe: str, names: Names) -> Sequence[str]:
    """Returns advice; writes the key `probe`, with the prefix.

    Raises ConfigurationError, with what to do, for a Redis that cannot be used, or that loses data.
    """
    primary = await find_primary(url)
    try:
        async with _open(url, prefix) as redis:
            advice = await _examine(redis, probe, primary)
    except (RedisError, OSError) as error:
        raise ConfigurationError(explained(error, names)) from error
    return [*advice, *(primary.advice if primary else ())]


async def _examine(redis: Redis, probe: str, primary: Primary | None) -> Sequence[str]:
    """Returns advice. Raises ConfigurationError, RedisError, OSError."""
    try:
        told = await redis.info()
    except NoPermissionError:
        await redis.eval(_PROBE_SCRIPT, 1, probe, _PROBE_SECONDS)
        return [_NO_INFO]
    if (fault := fault_of_redis(told)) is not None:
        raise ConfigurationError(f"{primary}: {fault}" if primary else fault)
    await redis.eval(_PROBE_SCRIPT, 1, probe, _PROBE_SECONDS)
    # A user with few rights must not ask: Redis would log that as a violation.
    snapshots = await _snapshots(redis) if told.get("aof_enabled") == 0 else None
    return advice_on_redis(told, snapshots)


async def check_shares(url: str) -> Sequence[str]:
    """Returns advice on a Redis that is the broker, whose other keys must not be read."""
    try:
        async with _open(url, "") as redis:
            if not await redis.exists(_OTHERS_BINDING):
                return ()
    except NoPermissionError:
        return ()
    return [
        (
            "set GATEWAY_REDIS_PREFIX, or use a separate database for the broker: another Celery"
            " application uses this one, and its workers deliver the gateway's tasks again"
            " after their own visibility timeout"
        )
    ]


def fault_of_redis(told: Mapping[str, object]) -> str | None:
    """What is wrong according to INFO; a managed Redis may hide some of it. Pure."""
    version = str(told.get("redis_version", ""))
    if version and _numbers(version) < OLDEST:
        return f"version {version} is too old: use Redis {_text(OLDEST)}, or any Valkey"
    mode = told.get("redis_mode") or told.get("server_mode")  # the latter is Valkey's
    if mode == "sentinel":
        return (
            "is a sentinel, which keeps no data: write redis+sentinel://HOST:PORT,…/MASTER for it,"
            " or name the primary"
        )
    if mode == "cluster":
        return f"is a cluster: {NO_CLUSTER}"
    if told.get("role") == "slave":
        return "is a replica, which accepts no writes: name the primary, or its sentinels"
    policy = told.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return (
            f"maxmemory-policy is {policy}, which evicts queues and locks: set it to"
            " noeviction (CONFIG SET maxmemory-policy noeviction, and in its configuration)"
        )
    return None


def advice_on_redis(told: Mapping[str, object], snapshots: str | None) -> Sequence[str]:
    """Advice, by INFO and the setting `save`, which is None if Redis does not show it. Pure."""
    if told.get("aof_enabled") == 0 and snapshots == "":
        return [
            (
                "make Redis save its data (appendonly yes): otherwise a restart loses queued"
                " tasks, and relayed files are not audited"
            )
        ]
    return ()


async def _snapshots(redis: Redis) -> str | None:
    try:
        return (await redis.config_get("save")).get("save")
    except ResponseError:  # managed ones do not allow CONFIG
        return None


def _open(url: str, prefix: str) -> Redis:
    return open_client(
        url,
        prefix,
        socket_timeout=_SECONDS,
        socket_connect_timeout=_SECONDS,
        decode_responses=True,
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
