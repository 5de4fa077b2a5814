"""Guards against faults of redis-py."""

import asyncio
from collections.abc import Iterable

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import TimeoutError as RedisTimeout
from redis.sentinel import SentinelManagedConnection


class CancellableSending(AbstractConnection):
    """Limits the time to send by `asyncio.timeout`.

    Fault: redis-py limits it by `asyncio.wait_for`, which swallows some cancellations on Python
    3.11, so that a loop of commands never ends. It also costs one task for each command. Seen in
    redis-py 8.1.0 on Python 3.11; Python 3.12 has another `wait_for`.
    Reported: https://github.com/python/cpython/issues/86296
    """

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - redis-py's
    ) -> None:
        """As redis-py does it. Raises its TimeoutError."""
        limit, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(limit):
                await super().send_packed_command(command, check_health)
        except TimeoutError:
            raise RedisTimeout("Timeout writing to socket") from None
        finally:
            self.socket_timeout = limit


class AnswersInOrder(SentinelManagedConnection):
    """Ends a connection whose answer did not come in time.

    Fault: if sentinels name the server, redis-py leaves such a connection open, unlike others. The
    late answer is then taken for the answer to the next command. Seen in redis-py 8.1.0.
    Reported: https://github.com/redis/redis-py/pull/4292
    """

    def read_response(  # type: ignore[override]
        self, *args: object, disconnect_on_error: bool = True, **kwargs: object
    ) -> object:
        """As redis-py does it."""
        return super().read_response(*args, disconnect_on_error=disconnect_on_error, **kwargs)  # type: ignore[arg-type]
