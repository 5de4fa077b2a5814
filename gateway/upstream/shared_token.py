"""A token that all processes share through Redis, and a lock for the one that renews it.

Nothing here raises, whatever happens to Redis: without it, each process has its own token.
"""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import RedisError

from gateway.telemetry import get_logger

log = get_logger(__name__)

_RENEWAL: Final = 60.0
"""Seconds before its expiry at which a token is renewed; at half its life, if that is later."""

_TURN_SECONDS: Final = 15.0
"""How long a process that dies while it renews the token blocks the others."""

_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Seal:
    """Hides a token from readers of Redis; `decrypt` returns None for what no own key encrypted.

    A key ring's two methods fit.
    """

    encrypt: Callable[[str], str]
    decrypt: Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Token:
    """A token, its lifetime in seconds, and its expiry by this process's monotonic clock."""

    value: str = field(repr=False)
    life: float
    ends_at: float

    def is_usable(self, now: float) -> bool:
        """Whether it has not expired."""
        return now < self.ends_at

    def is_fresh(self, now: float) -> bool:
        """Whether it need not be renewed yet."""
        return now < self.ends_at - min(_RENEWAL, self.life / 2)


class SharedToken:
    """One token, stored encrypted under one key until it expires."""

    def __init__(self, redis: Redis, key: str, seal: Seal) -> None:
        """Store the token under `key`. Redis' own time-outs limit every call."""
        self._redis = redis
        self._key = key
        self._seal = seal

    async def read(self) -> Token | None:
        """The token that any process fetched last."""
        try:
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.get(self._key)
                pipeline.pttl(self._key)
                sealed, milliseconds = await pipeline.execute()
        except (RedisError, OSError) as error:
            log.warning("own_token.redis_unavailable", error=repr(error))
            return None
        text = self._seal.decrypt(sealed.decode(errors="replace")) if sealed else None
        if text is None:
            return None
        try:
            value, life = json.loads(text)
        except (ValueError, TypeError):  # another version's
            return None
        return Token(value, life, time.monotonic() + milliseconds / 1000)

    async def write(self, token: Token) -> None:
        """Share a token until it expires."""
        left = token.ends_at - time.monotonic()
        if left <= 0:
            return
        sealed = self._seal.encrypt(json.dumps([token.value, token.life]))
        try:
            await self._redis.set(self._key, sealed, px=max(1, int(left * 1000)))
        except (RedisError, OSError) as error:
            log.warning("own_token.redis_unavailable", error=repr(error))

    @asynccontextmanager
    async def turn(self, *, patience: float) -> AsyncIterator[bool]:
        """Whether this process may fetch a token; waits for that for up to `patience` seconds.

        Without Redis, every process may.
        """
        lock = self._redis.lock(f"{self._key}:turn", timeout=_TURN_SECONDS, sleep=_POLL_SECONDS)
        held = await self._acquire(lock, patience)
        try:
            yield held is not False
        finally:
            if held:
                await self._release(lock)

    async def _acquire(self, lock: Lock, patience: float) -> bool | None:
        """Whether the lock is ours; None if Redis does not say."""
        try:
            return bool(await lock.acquire(blocking_timeout=patience))
        except (RedisError, OSError) as error:
            log.warning("own_token.redis_unavailable", error=repr(error))
            return None

    async def _release(self, lock: Lock) -> None:
        try:
            await lock.release()
        except (RedisError, OSError) as error:
            log.warning("own_token.redis_unavailable", error=repr(error))
