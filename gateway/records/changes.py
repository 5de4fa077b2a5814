"""Notices of changes to the uploads of a subject, to the requests that wait for any.

There is one channel for each subject, on which the id of an upload is published when its record
was written. A process subscribes to it while a request waits for such a notice, so a subject for
whom no request waits costs no process anything. A notice is only a hint: Redis may lose it, so a
waiting request also looks at the records from time to time.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from gateway.redis.client import prefix_of
from gateway.telemetry import get_logger
from gateway.uploads.keys import of_subject

log = get_logger(__name__)

_LISTEN_SECONDS: Final = 0.2
"""How long it may take until a channel is subscribed to."""

_RECONNECT_SECONDS: Final = 1.0
_KEPT_SECONDS: Final = 60.0
"""How long a channel stays subscribed to without a request: most clients ask again soon."""


class Watching:
    """A request that waits for changes to one upload, or to all of a subject."""

    __slots__ = ("_changed", "_ids")

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._ids: set[str] = set()

    def notify(self, upload_id: str | None = None) -> None:
        """Let the request continue: the upload has changed; None: it should look by itself."""
        if upload_id is not None:
            self._ids.add(upload_id)
        self._changed.set()

    async def wait(self, seconds: float) -> set[str] | None:
        """The ids of uploads that have changed since the last call.

        They are none if the request should look by itself; None is returned after `seconds`.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return None
        self._changed.clear()
        ids, self._ids = self._ids, set()
        return ids


class Changes:
    """The subscriptions of one process, on one connection."""

    def __init__(self, redis: Redis) -> None:
        """Listen on a connection of its own out of `redis`'s pool."""
        self._redis = redis
        self._prefix = prefix_of(redis)
        self._watching: defaultdict[str, set[tuple[str | None, Watching]]] = defaultdict(set)
        """Who waits, by the channel, and for which upload of it."""
        self._left: dict[str, float] = {}
        """Channels for which no request waits any more, and since when."""
        self._heard: set[str] = set()
        """Channels to which Redis has confirmed the subscription."""
        self._wanted = asyncio.Event()
        """Set while there are channels to subscribe to."""
        self._is_new = False
        """Whether a request waits for a channel that may not be subscribed to."""

    @contextmanager
    def watch(self, subject: str, upload_id: str | None = None) -> Iterator[Watching]:
        """Wait for changes to that upload of the subject, or to all of them."""
        channel, watching = of_subject(subject), Watching()
        member = (upload_id, watching)
        self._watching[channel].add(member)
        if self._left.pop(channel, None) is None and len(self._watching[channel]) == 1:
            self._is_new = True
            self._wanted.set()
        try:
            yield watching
        finally:
            self._watching[channel].discard(member)
            if not self._watching[channel]:
                del self._watching[channel]
                self._left[channel] = time.monotonic()

    def hears_of(self, subject: str) -> bool:
        """Whether notices of the subject's uploads arrive, as far as is known."""
        return of_subject(subject) in self._heard

    def wake_all(self) -> None:
        """Let every request of this process that waits continue."""
        for members in self._watching.values():
            for _, watching in members:
                watching.notify()

    async def listen(self) -> None:
        """Receive notices until cancelled, across any loss of Redis."""
        while True:
            await self._wanted.wait()
            try:
                await self._receive()
            except (RedisError, OSError) as error:
                log.warning("notice.redis_unavailable", error=repr(error))
                await asyncio.sleep(_RECONNECT_SECONDS)
            finally:
                self._heard.clear()

    async def _receive(self) -> None:
        subscribed: set[str] = set()
        self._is_new = True
        async with self._redis.pubsub() as pubsub:
            while await self._subscribe(pubsub, subscribed):
                # A wrong server (such as a replica) accepts a subscription without an error.
                if pubsub.connection.should_reconnect():
                    return
                message = await pubsub.get_message(timeout=_LISTEN_SECONDS)
                if message is not None:
                    channel = message["channel"].decode().removeprefix(self._prefix)
                    self._take(message["type"], channel, message["data"])

    async def _subscribe(self, pubsub: PubSub, subscribed: set[str]) -> bool:
        """Subscribe to what requests wait for now; whether that is anything."""
        soon = time.monotonic() - _KEPT_SECONDS
        if not self._is_new and next(iter(self._left.values()), soon) >= soon:
            return True
        self._is_new = False
        for channel in [channel for channel, since in self._left.items() if since < soon]:
            del self._left[channel]
        wanted = self._watching.keys() | self._left.keys()
        if old := subscribed - wanted:
            self._heard -= old
            await pubsub.unsubscribe(*old)
        if new := wanted - subscribed:
            await pubsub.subscribe(*new)
        subscribed.clear()
        subscribed.update(wanted)
        if not wanted:
            self._wanted.clear()
        return bool(wanted)

    def _take(self, kind: str, channel: str, data: object) -> None:
        if kind == "subscribe" and (channel in self._watching or channel in self._left):
            self._heard.add(channel)
            for _, watching in self._watching.get(channel, ()):
                watching.notify()  # what was published before was not received
        elif kind == "message" and isinstance(data, bytes):
            upload_id = data.decode()
            for wanted, watching in self._watching.get(channel, ()):
                if wanted in (None, upload_id):
                    watching.notify(upload_id)
