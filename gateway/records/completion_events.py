"""Notices to requests in progress: ids of uploads, on one channel for each kind of notice.

Workers publish the id of each finished upload, for requests that wait for it. A request that
continues an upload publishes its id, to stop an older request of the same upload. A notice is only
a hint: Redis may lose it, so a waiting request also reads the record from time to time. If the
gateway has offered the record, the notice contains the sealed end, so that no request has to read
it from the bucket.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.telemetry import get_logger
from gateway.uploads.keys import ENDED_CHANNEL, of_subject
from gateway.uploads.record import Upload

log = get_logger(__name__)

_RECONNECT_SECONDS = 1.0
_LISTEN_SECONDS = 2.0


class Notice(asyncio.Event):
    """Set when the upload's end is announced; then it may contain the sealed end."""

    sealed: str | None = None


async def announce(redis: Redis, upload_id: str, channel: str = ENDED_CHANNEL) -> None:
    """Notify every gateway process about the upload; the notice may be lost."""
    try:
        await redis.publish(channel, upload_id)
    except (RedisError, OSError) as error:
        log.warning("notice.redis_unavailable", error=repr(error))


async def announce_end(redis: Redis, upload: Upload, sealed: str | None) -> None:
    """Notify those who wait for the upload's end, or for its subject's changes; may be lost."""
    message = upload.id if sealed is None else f"{upload.id} {sealed}"
    try:
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.publish(ENDED_CHANNEL, message)
            pipeline.publish(of_subject(upload.subject), upload.id)
            await pipeline.execute()
    except (RedisError, OSError) as error:
        log.warning("notice.redis_unavailable", error=repr(error))


class CompletionEvents:
    """One subscription of a process, shared by all waiting requests."""

    def __init__(self, redis: Redis, channel: str = ENDED_CHANNEL) -> None:
        """Listen to `channel`, on a separate connection from `redis`'s pool."""
        self._redis = redis
        self._channel = channel
        self._waiting: dict[str, set[Notice]] = defaultdict(set)

    @asynccontextmanager
    async def watch(self, upload_id: str) -> AsyncIterator[Notice]:
        """The notice of the upload's end, if it comes."""
        notice = Notice()
        self._waiting[upload_id].add(notice)
        try:
            yield notice
        finally:
            self._waiting[upload_id].discard(notice)
            if not self._waiting[upload_id]:
                del self._waiting[upload_id]

    async def listen(self) -> None:
        """Receive notices until cancelled, also after Redis was down."""
        while True:
            try:
                await self._receive()
            except (RedisError, OSError) as error:
                log.warning("notice.redis_unavailable", error=repr(error))
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _receive(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(self._channel)
            # A wrong server (such as a replica) accepts a subscription without an error.
            while not pubsub.connection.should_reconnect():
                message = await pubsub.get_message(timeout=_LISTEN_SECONDS)
                if message is not None:
                    self.wake(message["data"].decode())

    def is_watched(self, upload_id: str) -> bool:
        """Whether a request of this process waits for the upload's notice."""
        return upload_id in self._waiting

    def wake_all(self) -> None:
        """Notify every request of this process that waits."""
        for upload_id in list(self._waiting):
            self.wake(upload_id)

    def wake(self, message: str) -> None:
        """Notify the requests of this process that wait for this upload's notice."""
        upload_id, _, sealed = message.partition(" ")
        for notice in self._waiting.get(upload_id, ()):
            notice.sealed = sealed or None
            notice.set()
