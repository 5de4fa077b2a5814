"""Redis, or what speaks like it: its version, and what it does when its memory is full."""

from collections.abc import Mapping
from typing import Final

from redis.asyncio import Redis

from gateway.errors import ConfigurationError

OLDEST: Final = (6, 2)
"""The oldest version that gets mended, by its makers or by distributions."""

_SECONDS: Final = 5.0


async def check_redis(url: str) -> None:
    """Raises ConfigurationError for a Redis that loses what it is given; RedisError, OSError."""
    async with Redis.from_url(
        url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
    ) as redis:
        told = await redis.info()
    if (fault := fault_of_redis(told)) is not None:
        raise ConfigurationError(fault)


def fault_of_redis(told: Mapping[str, object]) -> str | None:
    """What is wrong by what INFO tells; a managed one may keep some of it to itself. Pure."""
    version = str(told.get("redis_version", ""))
    if version and _numbers(version) < OLDEST:
        return f"version {version} is too old: use Redis {_text(OLDEST)}, or any Valkey"
    policy = told.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return (
            f"maxmemory-policy is {policy}, which throws away queues and locks: set it to"
            " noeviction (CONFIG SET maxmemory-policy noeviction, and in its configuration)"
        )
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
