"""Clients of Redis that may put one prefix before all keys and channels.

With a prefix, a user of Redis can be limited to these keys and channels, and other programs can
share the database. It is added when a command is sent, so that no caller can forget it. Commands
with keys at positions that are not known here are refused.
"""

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline, PubSub

from gateway.redis.pool import RolePool

_FIRST: Final = frozenset(
    {
        *("GET", "SET", "EXPIRE", "PTTL", "INCRBY", "PUBLISH"),
        *("ZADD", "ZREM", "ZRANGE", "ZCARD", "ZREMRANGEBYRANK"),
    }
)
_EACH: Final = frozenset({"DEL", "EXISTS", "WATCH", "SUBSCRIBE", "UNSUBSCRIBE"})
_COUNTED: Final = frozenset({"EVAL", "EVALSHA"})
_NONE: Final = frozenset({"CONFIG GET", "INFO", "SCRIPT LOAD", "TIME", "UNWATCH"})


def open_client(url: str, prefix: str, **options: object) -> Redis:
    """A client of that Redis, which connects with its first command; `options` are redis-py's.

    Raises ValueError for an invalid URL.
    """
    pool = RolePool.of(url, **options)
    client = PrefixedRedis.from_pool(pool) if prefix else Redis.from_pool(pool)
    if isinstance(client, PrefixedRedis):
        client.prefix = prefix
    return client


def prefix_of(redis: Redis) -> str:
    """The prefix of the client's keys, for scripts on other connections."""
    return redis.prefix if isinstance(redis, PrefixedRedis) else ""


def prefixed(prefix: str, command: tuple[object, ...]) -> tuple[object, ...]:
    """The command with the prefix before each key and channel. Pure.

    Raises NotImplementedError for a command with keys at unknown positions.
    """
    name, *arguments = command
    if name in _FIRST:
        first, last = 0, 1
    elif name in _EACH:
        first, last = 0, len(arguments)
    elif name in _COUNTED:
        first, last = 2, 2 + int(str(arguments[1]))
    elif name in _NONE:
        first, last = 0, 0
    else:
        raise NotImplementedError(f"the positions of the keys of {name} are not known")
    keys = [f"{prefix}{key}" for key in arguments[first:last]]
    return (name, *arguments[:first], *keys, *arguments[last:])


class _PrefixedPipeline(Pipeline):
    prefix: str

    def execute_command(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        return super().execute_command(*prefixed(self.prefix, args), **kwargs)


class _PrefixedPubSub(PubSub):
    prefix: str

    async def execute_command(self, *args: object) -> object:
        return await super().execute_command(*prefixed(self.prefix, args))  # type: ignore[arg-type]


class PrefixedRedis(Redis):
    """A client that puts its prefix before the keys and channels of each command."""

    prefix: str

    async def execute_command(self, *args: object, **options: object) -> object:
        """As Redis does it."""
        return await super().execute_command(*prefixed(self.prefix, args), **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: FBT001, FBT002
        """As Redis does it."""
        opened = _PrefixedPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        opened.prefix = self.prefix
        return opened

    def pubsub(self, **kwargs: object) -> PubSub:
        """As Redis does it; messages have the prefix in their channel's name."""
        opened = _PrefixedPubSub(self.connection_pool, **kwargs)  # type: ignore[arg-type]
        opened.prefix = self.prefix
        return opened
