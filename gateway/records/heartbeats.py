"""Which uploads are being received at this moment, by any process.

Each process marks its uploads in Redis, and the marks expire. A process that cannot keep its marks
there writes one object for all its uploads to the bucket instead, so that no other process treats
them as abandoned. A mark is only a hint. If one is missing, the process that takes the upload over
fences it off first, so that it cannot be accepted as well.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.errors import ObjectNotFound, StoreUnavailable
from gateway.store.objects import ObjectStore
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.ids import new_id

log = get_logger(__name__)

BEAT_SECONDS: Final = 4.0
_FADING_SECONDS: Final = 12

REMEMBERED_SECONDS: Final = 120
"""How long Redis keeps a mark without renewal. A process that was suspended for less still owns
its uploads.
"""

_GRACE_SECONDS: Final = 5.0
"""How long marks that cannot be renewed are still good."""

_FADING_IN_BUCKET: Final = 30.0
"""In seconds: the interval of beats, and one time-out each of Redis and of the store."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[str])


class Heartbeats:
    """The marks of the uploads that this process receives."""

    def __init__(self, redis: Redis, store: ObjectStore) -> None:
        """Keep the marks in `redis`, or in `store` while Redis does not accept them."""
        self._redis = redis
        self._store = store
        self._present: set[str] = set()
        self._marked: frozenset[str] = frozenset()
        """The uploads that the last beat marked in Redis."""
        self._key = keys.presences(new_id())
        self._told: frozenset[str] | None = None
        """What was written to the bucket; None if nothing is there."""
        self._telling = asyncio.Lock()
        self._renewed = time.monotonic()

    @asynccontextmanager
    async def of(self, upload_id: str, *, at_once: bool = False) -> AsyncIterator[None]:
        """Mark the upload while it is received. `at_once`: do not wait for the next beat."""
        self._present.add(upload_id)
        try:
            if at_once and not await self._mark([upload_id], ()):
                await self._tell_bucket(upload_id)
            yield
        finally:
            self._present.discard(upload_id)
            if at_once:
                await asyncio.shield(self._unmark(upload_id))

    async def beat(self) -> None:
        """Renew the marks until cancelled."""
        while True:
            await self._renew()
            await asyncio.sleep(BEAT_SECONDS)

    async def _renew(self) -> None:
        present = frozenset(self._present)
        if await self._mark(present, self._marked - present):
            self._renewed = time.monotonic()
            self._marked = present
            await self._clear_bucket()
            return
        self._marked |= present
        if time.monotonic() - self._renewed > _GRACE_SECONDS:
            await self._tell_bucket()

    async def _mark(self, upload_ids: Collection[str], ended: Collection[str]) -> bool:
        """Renew marks in Redis, and remove those that ended; returns whether that worked."""
        try:
            seconds, _ = await self._redis.time()
            async with self._redis.pipeline(transaction=False) as pipeline:
                # It expires with the marks, which were not renewed while Redis was unavailable.
                pipeline.set(keys.PRESENT_SINCE, seconds, nx=True, ex=_FADING_SECONDS)
                pipeline.expire(keys.PRESENT_SINCE, _FADING_SECONDS)
                for upload_id in upload_ids:
                    pipeline.set(keys.presence(upload_id), b"", ex=REMEMBERED_SECONDS)
                if ended:
                    pipeline.delete(*map(keys.presence, ended))
                await pipeline.execute()
        except (RedisError, OSError) as error:
            log.warning("presence.redis_unavailable", error=repr(error))
            return False
        return True

    async def _unmark(self, upload_id: str) -> None:
        try:
            await self._redis.delete(keys.presence(upload_id))
        except (RedisError, OSError) as error:
            log.warning("presence.redis_unavailable", error=repr(error))

    async def _tell_bucket(self, newcomer: str | None = None) -> None:
        """Write all ids to the bucket, unless an earlier call has written the `newcomer` too."""
        async with self._telling:
            if newcomer is not None and self._told is not None and newcomer in self._told:
                return
            present = frozenset(self._present)
            if not present and not self._told:
                return
            try:
                await self._store.put(self._key, _encoder.encode(sorted(present)))
            except StoreUnavailable as error:
                log.warning("presence.store_unavailable", error=repr(error))
            else:
                self._told = present

    async def _clear_bucket(self) -> None:
        if self._told is None:
            return
        async with self._telling:
            try:
                await self._store.delete(self._key)
            except StoreUnavailable as error:
                log.warning("presence.store_unavailable", error=repr(error))
            else:
                self._told = None


async def is_present(redis: Redis, upload_id: str) -> bool:
    """Whether a process receives the upload. Raises RedisError, OSError if Redis is down."""
    left = await redis.pttl(keys.presence(upload_id))
    return left > (REMEMBERED_SECONDS - _FADING_SECONDS) * 1000


async def was_present(redis: Redis, upload_id: str) -> bool:
    """Whether a process was receiving it recently, and may continue. Raises RedisError, OSError."""
    return bool(await redis.exists(keys.presence(upload_id)))


async def present_in_bucket(store: ObjectStore, within: float = _FADING_IN_BUCKET) -> set[str]:
    """The uploads written to the bucket in the last `within` seconds. Raises StoreUnavailable."""
    found: set[str] = set()
    async for info in store.list(keys.PRESENCES):
        if info.age <= within:
            try:
                document = await store.get(info.key)
            except ObjectNotFound:  # its process uses Redis again
                continue
            found.update(_decoder.decode(document.content))
    return found


async def is_gone(redis: Redis, store: ObjectStore, upload_id: str) -> bool:
    """Whether no process receives the upload.

    If Redis was wiped or down, it has lost the marks: then this waits for the next beat of all
    processes. Raises RedisError, OSError if Redis cannot be asked, and StoreUnavailable.
    """
    if await is_present(redis, upload_id):
        return False
    if not await knows_all(redis):
        await asyncio.sleep(BEAT_SECONDS + 1)
        if await is_present(redis, upload_id):
            return False
    return upload_id not in await present_in_bucket(store)


async def knows_all(redis: Redis) -> bool:
    """Whether Redis was up, and was not wiped, since the last beat of every process."""
    since = await redis.get(keys.PRESENT_SINCE)
    seconds, _ = await redis.time()
    return since is not None and seconds - int(since) > BEAT_SECONDS + 1
