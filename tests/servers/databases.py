"""Databases of Redis for tests that wipe them, or whose tasks no other worker may run.

Also counts what clients have asked of a server.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

_SCRIPTING = ("eval", "evalsha", "script", "script|load")
_SHARED = 0
_COUNT = 16
"""The default number of databases of a server."""


@dataclass(frozen=True)
class Databases:
    """The free databases of one server; all tests share number 0."""

    server_url: str
    """Without a database."""
    _free: deque[int] = field(default_factory=lambda: deque(range(_SHARED + 1, _COUNT)))

    @contextmanager
    def lend(self) -> Iterator[str]:
        """The URL of an empty database that no other test uses inside the block."""
        number = self._free.popleft()
        url = f"{self.server_url}/{number}"
        # Not at the end: a gateway of that test may still be sending what it has left.
        with Redis.from_url(url) as redis:
            redis.flushdb()
        try:
            yield url
        finally:
            self._free.append(number)


async def script_trips(redis: AsyncRedis) -> int:
    """How often all clients of its server ran or loaded a script: each time is a round trip."""
    stats = await redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in _SCRIPTING)
