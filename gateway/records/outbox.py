"""The outbox: messages for webhooks, durable before the ends of uploads that they are about.

Each message is an object in the bucket, of a name that says which end of which upload it is about.
It is written before the record of that end: a process that dies between the two leaves a message
without an end, and the upload's next step writes the same message again. Workers send what is in
the record by then.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import suppress
from enum import Enum, auto
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from gateway import crash, kept
from gateway.errors import ObjectNotFound, PreconditionFailed
from gateway.store.objects import ObjectInfo, ObjectStore, Written
from gateway.uploads import keys
from gateway.uploads.record import Upload
from gateway.webhooks.messages import Message, message_of, parse
from gateway.webhooks.progress import Progress, begun, carried_over, reopened

WRITTEN_WITHIN: Final = 10.0
"""Seconds, by the store's clock, from the message to the record of its end.

If the record is written later, the message is written again: it may have been dropped.
"""

DROPPED_AFTER: Final = 2 * WRITTEN_WITHIN
"""Seconds after which a message may be dropped if its upload has not this end."""

Wanted = Callable[[str], Collection[str]]
"""The names of the endpoints that want messages of a type."""


class Placed(NamedTuple):
    """A message that is in the outbox; `at` is when it was written, None if it was there before."""

    message: Message
    at: float | None


class Waiting(NamedTuple):
    """A message as it was read, and its age in seconds by the store's clock; `version`: ETag."""

    name: str
    progress: Progress
    age: float
    version: str


class Again(Enum):
    """What came of having a message sent again."""

    NOTHING = auto()
    """It was not given up at these endpoints, or was delivered since."""

    SENT = auto()
    WAITS = auto()
    """It waits in the outbox already, unless a worker is about to remove it from there."""


class Stop(msgspec.Struct, frozen=True):
    """An endpoint that wants nothing more; under another URL it is another one."""

    url: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Progress)
_stop_decoder = msgspec.json.Decoder(Stop)


class Outbox:
    """The messages in one bucket. Methods that ask the store raise StoreUnavailable."""

    def __init__(
        self, store: ObjectStore, wanted: Wanted, announce: Callable[[str], None] | None = None
    ) -> None:
        """Place what is `wanted`; `announce` has a worker send the message of that name."""
        self._store = store
        self._wanted = wanted
        self._announce = announce

    async def place(self, upload: Upload) -> Placed | None:
        """Make the message about the end of the upload durable, if an endpoint wants it."""
        message = message_of(upload)
        wanted = self._wanted(message.event)
        if not wanted:
            return None
        at = await self._put(message, wanted)
        crash.point(crash.Point.OUTBOX_PLACED)
        return Placed(message, at)

    async def follow(self, placed: Placed | None, written: Written) -> None:
        """Have a message sent, now that the record of its end was written."""
        if placed is None:
            return
        message, at = placed
        if at is None or written.at > at + WRITTEN_WITHIN:
            await self._put(message, self._wanted(message.event))
        if self._announce is not None:
            self._announce(message.name)

    async def _put(self, message: Message, wanted: Collection[str]) -> float | None:
        """When it was written, by the store's clock; None if it was there."""
        key, document = keys.message(message.name), _encoder.encode(begun(wanted))
        try:
            return (await self._store.put(key, document, if_none_match=True)).at
        except PreconditionFailed:
            return None

    async def open(self, name: str) -> Waiting | None:
        """The message; None if it was sent or dropped. Raises msgspec.DecodeError."""
        try:
            document = await self._store.get(keys.message(name))
        except ObjectNotFound:
            return None
        progress = kept.read(_decoder, document.content)
        return Waiting(name, progress, document.age, document.etag)

    async def amend(self, waiting: Waiting, progress: Progress) -> None:
        """Keep the progress of the message that was opened.

        Raises PreconditionFailed if another worker has done so since.
        """
        key, document = keys.message(waiting.name), _encoder.encode(progress)
        await self._store.put(key, document, if_match=waiting.version)

    async def finish(
        self, waiting: Waiting, progress: Progress, stopped: Mapping[str, str]
    ) -> None:
        """Forget a message that is sent to no endpoint any more; keep it aside if it is dead.

        `stopped`: URLs of the endpoints at which it is given up because they were stopped, by their
        names. If an operator has allowed one since, the message stays: `webhooks retry` may have
        looked before it was kept aside. Raises PreconditionFailed if it is not the newest.
        """
        if progress.is_dead:
            await self._store.put(keys.dead_message(waiting.name), _encoder.encode(progress))
            crash.point(crash.Point.OUTBOX_SET_ASIDE)
            started = [
                name for name, url in stopped.items() if not await self.is_stopped(name, url)
            ]
            if started and (fresh := reopened(progress, started)) is not None:
                await self.amend(waiting, fresh)
                return
        await self.drop(waiting.name, again=progress.again and not progress.is_dead)

    async def drop(self, name: str, *, again: bool = False) -> None:
        """Forget a message; also that it was given up before, if it was sent `again`."""
        if again:
            await self._store.delete(keys.dead_message(name))
        await self._store.delete(keys.message(name))

    async def set_aside_unreadable(self, name: str) -> bool:
        """Whether the message cannot be decoded; if so, it is moved out of the way unchanged."""
        try:
            await self.open(name)
        except msgspec.DecodeError:
            document = await self._store.get(keys.message(name))
            await self._store.put(keys.dead_message(name), document.content)
            await self.drop(name)
            return True
        return False

    async def all(self, after: str | None = None) -> AsyncGenerator[tuple[str, float], None]:
        """Names and ages of the messages after that name, those of the oldest uploads first.

        Other keys there are ignored.
        """
        start = keys.message(after) if after is not None else None
        async for info in self._store.list(keys.OUTBOX, start):
            if parse(name := info.key.removeprefix(keys.OUTBOX)) is not None:
                yield name, info.age

    async def dead(self) -> AsyncGenerator[ObjectInfo, None]:
        """The messages that were given up, those of the oldest uploads first."""
        async for info in self._store.list(keys.dead_messages()):
            if parse(info.key.removeprefix(keys.dead_messages())) is not None:
                yield info

    async def open_dead(self, name: str) -> Progress | None:
        """A message that was given up; None if there is none. Raises msgspec.DecodeError."""
        try:
            document = await self._store.get(keys.dead_message(name))
        except ObjectNotFound:
            return None
        return kept.read(_decoder, document.content)

    async def send_again(self, name: str, endpoints: Collection[str] | None) -> Again:
        """Have a message that was given up sent to these endpoints again, or to all.

        The dead letter stays until the message is delivered. Raises msgspec.DecodeError.
        """
        dead = await self.open_dead(name)
        fresh = reopened(dead, endpoints) if dead is not None else None
        if fresh is None:
            return Again.NOTHING
        try:
            await self._store.put(keys.message(name), _encoder.encode(fresh), if_none_match=True)
        except PreconditionFailed:
            await self._reopen(name, endpoints)
            return Again.WAITS
        return Again.SENT

    async def _reopen(self, name: str, endpoints: Collection[str] | None) -> None:
        """Do so with a message that still waits; a worker may be giving it up."""
        waiting = await self.open(name)
        if waiting is None:
            return
        progress = carried_over(waiting.progress, waiting.age)
        fresh = reopened(progress, endpoints) or replace(progress, again=True)
        if waiting.progress.again and fresh.endpoints == progress.endpoints:
            return
        with suppress(PreconditionFailed):  # a worker has come in between: look again
            await self.amend(waiting, fresh)

    async def forget_dead(self, upload_id: str) -> None:
        """Forget what was given up of one upload."""
        found = [info.key async for info in self._store.list(keys.dead_message(f"{upload_id}/"))]
        await self._store.delete_all(found)

    async def stop(self, endpoint: str, url: str) -> None:
        """Send nothing more to an endpoint under that URL."""
        await self._store.put(keys.stopped(endpoint), _encoder.encode(Stop(url)))

    async def is_stopped(self, endpoint: str, url: str) -> bool:
        """Whether nothing more is sent to an endpoint under that URL."""
        try:
            document = await self._store.get(keys.stopped(endpoint))
            return kept.read(_stop_decoder, document.content).url == url
        except (ObjectNotFound, msgspec.DecodeError):
            return False

    async def start(self, endpoint: str) -> None:
        """Send to an endpoint again."""
        await self._store.delete(keys.stopped(endpoint))
