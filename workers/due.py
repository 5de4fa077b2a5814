"""Steps that must run later, kept in Redis until it is time to send them.

Brokers do not keep them, since each one delays in a different way. A worker must not hold a message
for long: Redis delivers it again after the visibility timeout, RabbitMQ closes the channel after
`consumer_timeout`, and with a quorum queue it occupies a place of the prefetch count. SQS delays
by at most 15 minutes. If a step is lost here, the sweeper finds the upload by its record.
"""

import asyncio
from typing import Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.queue import TaskQueue
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step

log = get_logger(__name__)

_LOOK_SECONDS: Final = 1.0
"""Seconds that a step is late at most, while a worker runs."""

_AT_A_TIME: Final = 500

# Times are by the clock of Redis: those of workers may differ. LT keeps the earlier of two.
_ADD: Final = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], 'LT', now[1] + now[2] / 1000000 + ARGV[2], ARGV[1])
"""
_TAKE: Final = """
local now = redis.call('TIME')
local due = redis.call('ZRANGE', KEYS[1], '-inf', now[1] + now[2] / 1000000,
                       'BYSCORE', 'LIMIT', 0, ARGV[1])
if #due > 0 then
    redis.call('ZREM', KEYS[1], unpack(due))
end
return due
"""


class Due:
    """The steps that run later; any worker sends them when it is time."""

    def __init__(self, redis: Redis, queue: TaskQueue) -> None:
        self._redis = redis
        self._queue = queue

    async def add(self, step: Step, upload_id: str, delay: float) -> None:
        """Have the step run after `delay` seconds, or earlier if that was requested before."""
        try:
            await self._redis.eval(_ADD, 1, keys.DUE, f"{step}:{upload_id}", str(delay))
        except (RedisError, OSError) as error:
            log.warning("due.redis_unavailable", error=repr(error))
            # In this process alone, which may end before.
            asyncio.get_running_loop().call_later(delay, self._queue.send, step, upload_id)

    async def watch(self) -> None:
        """Send what is due, for good."""
        away = False
        while True:
            try:
                sent = await self.send()
                away = False
            except (RedisError, OSError) as error:
                sent = 0
                if not away:
                    log.warning("due.redis_unavailable", error=repr(error))
                away = True
            if sent < _AT_A_TIME:
                await asyncio.sleep(_LOOK_SECONDS)

    async def send(self) -> int:
        """Send some of what is due; returns how many steps. Raises RedisError, OSError."""
        due = cast(list[bytes], await self._redis.eval(_TAKE, 1, keys.DUE, _AT_A_TIME))
        for name in due:
            step, _, upload_id = name.decode().rpartition(":")
            self._queue.send(step, upload_id)
        return len(due)
