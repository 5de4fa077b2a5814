"""Which uploads are being received at this moment, by whichever process: marks in Redis that fade.

A mark is a hint. Where one is missing, whoever takes the upload over fences it off first, so that
it cannot be accepted as well.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.telemetry import get_logger
from gateway.uploads import keys

log = get_logger(__name__)

BEAT_SECONDS: Final = 4.0
_FADING_SECONDS: Final = 12


class Presence:
    """The marks of the uploads that this process receives."""

    def __init__(self, redis: Redis) -> None:
        """Keep the marks in `redis`."""
        self._redis = redis
        self._present: set[str] = set()

    @asynccontextmanager
    async def of(self, upload_id: str, *, at_once: bool = False) -> AsyncIterator[None]:
        """While the upload is received. `at_once`: somebody may look before the next beat."""
        self._present.add(upload_id)
        try:
            if at_once:
                await self._mark([upload_id])
            yield
        finally:
            self._present.discard(upload_id)
            if at_once:
                await asyncio.shield(self._unmark(upload_id))

    async def beat(self) -> None:
        """Renew the marks until cancelled."""
        while True:
            await self._mark(tuple(self._present))
            await asyncio.sleep(BEAT_SECONDS)

    async def _mark(self, upload_ids: Collection[str]) -> None:
        try:
            seconds, _ = await self._redis.time()
            async with self._redis.pipeline(transaction=False) as pipeline:
                # It fades with the marks, which nobody could renew while Redis was away.
                pipeline.set(keys.PRESENT_SINCE, seconds, nx=True, ex=_FADING_SECONDS)
                pipeline.expire(keys.PRESENT_SINCE, _FADING_SECONDS)
                for upload_id in upload_ids:
                    pipeline.set(keys.presence(upload_id), b"", ex=_FADING_SECONDS)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            log.warning("presence.redis_unavailable", error=repr(error))

    async def _unmark(self, upload_id: str) -> None:
        try:
            await self._redis.delete(keys.presence(upload_id))
        except (RedisError, OSError) as error:
            log.warning("presence.redis_unavailable", error=repr(error))


async def is_present(redis: Redis, upload_id: str) -> bool:
    """Whether a process receives the upload. Raises RedisError, OSError where nobody can tell."""
    return bool(await redis.exists(keys.presence(upload_id)))


async def is_gone(redis: Redis, upload_id: str) -> bool:
    """Whether no process receives the upload.

    A Redis that was wiped or away has forgotten those that do: then their next beat is waited
    for. Raises RedisError, OSError where nobody can tell.
    """
    if await is_present(redis, upload_id):
        return False
    if await knows_all(redis):
        return True
    await asyncio.sleep(BEAT_SECONDS + 1)
    return not await is_present(redis, upload_id)


async def knows_all(redis: Redis) -> bool:
    """Whether Redis was there, and not wiped, since the last beat of every process."""
    since = await redis.get(keys.PRESENT_SINCE)
    seconds, _ = await redis.time()
    return since is not None and seconds - int(since) > BEAT_SECONDS + 1
