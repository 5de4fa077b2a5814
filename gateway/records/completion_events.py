"""Notices to requests in progress: ids of uploads, on one channel for each kind of notice.

Workers publish the id of each finished upload, for requests that wait for it. A request that
continues an upload publishes its id, for one that still sends to it. A notice is only a hint: Redis
may lose it, so a waiting request also looks at the record from time to time. Of an upload whose
record the gateway has offered, the notice contains the sealed end, so that nobody has to read it
from the bucket.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.telemetry import get_logger
from gateway.uploads.keys import ENDED_CHANNEL

log = get_logger(__name__)

_RECONNECT_SECONDS = 1.0
_LISTEN_SECONDS = 2.0


class Notice(asyncio.Event):
    """Is set when the upload's end is announced, and then may have the end as well, sealed."""

    sealed: str | None = None


async def announce(
    redis: Redis, upload_id: str, sealed: str | None = None, channel: str = ENDED_CHANNEL
) -> None:
    """Tell every gateway process that the upload has ended, or the like; may be lost."""
    message = upload_id if sealed is None else f"{upload_id} {sealed}"
    try:
        await redis.publish(channel, message)
    except (RedisError, OSError) as error:
        log.warning("notice.redis_unavailable", error=repr(error))


class CompletionEvents:
    """One subscription a process, shared by all who wait."""

    def __init__(self, redis: Redis, channel: str = ENDED_CHANNEL) -> None:
        """Listen to `channel`, on a connection of its own out of `redis`'s pool."""
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
        """Receive notices until cancelled, across any loss of Redis."""
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
