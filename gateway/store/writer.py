"""Bytes of unknown length into one object of the store, in parts that wait in memory."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple, Protocol

import google_crc32c

from gateway.errors import GatewayError, ObjectNotFound, StoreUnavailable, UploadSuperseded
from gateway.store.objects import LONGEST_NOTE, Multipart, ObjectInfo, ObjectStore, Part
from gateway.store.parts import PARTS_IN_FLIGHT, part_size
from gateway.telemetry import get_logger

log = get_logger(__name__)


class Note(NamedTuple):
    """A text to be kept with an object: in its metadata, or at `key` where it has no room.

    `beside`: at `key` in any case, since metadata cannot be changed.
    """

    key: str
    text: str
    beside: bool = False

    @property
    def fits(self) -> bool:
        """Whether it may be kept in metadata."""
        return not self.beside and len(self.text) <= LONGEST_NOTE


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it was written: its size in bytes, CRC32C, number of parts, and ETag.

    `at` is the store's time when it had taken the object, None where that may have been long
    before: of several parts it may be as old as the first.
    """

    size: int
    crc32c: int
    parts: int
    etag: str
    at: float | None


class Room(Protocol):
    """Where the bytes of parts have their memory."""

    async def take(self, size: int) -> None:
        """Wait until `size` bytes more of the part that is being filled may be held."""

    def part_full(self) -> None:
        """The part that was being filled is on its way, and a new one begins."""

    def give_back(self, size: int) -> None:
        """`size` bytes are held no more."""


class ObjectWriter:
    """Writes one object. The creator of a writer ends it, by `finish` or by `abort`.

    It holds one part that is being filled and at most two on their way; `write` waits while both
    are. What fits in the first part becomes one PUT, anything else a multipart upload. Each part
    is sent with its own CRC32C, and the whole object with that of all its bytes.
    """

    def __init__(self, store: ObjectStore, key: str, room: Room | None = None) -> None:
        """Write to `key`, which no other process writes; without a `room`, memory is not counted.

        The store is asked nothing before there is a part to send.
        """
        self._store = store
        self._room = room
        self._key = key
        self._part = _FillingPart(1)
        self._size = 0
        self._crc32c = 0
        self._multipart: asyncio.Task[Multipart] | None = None
        self._in_flight: set[asyncio.Task[Part]] = set()
        self._parts: list[Part] = []
        self._failure: BaseException | None = None
        self._object_may_exist = False
        self._note: Note | None = None

    @property
    def crc32c(self) -> int:
        """That of all bytes that were taken so far."""
        return self._crc32c

    async def write(self, view: memoryview | bytes) -> None:
        """Take the next bytes, which may be reused as soon as this returns.

        Raises StoreUnavailable, ChecksumMismatch, UploadSuperseded where a sweeper has taken the
        upload for abandoned (each also for an earlier part that failed since), PartLimitExceeded.
        """
        self._collect({task for task in self._in_flight if task.done()})
        # A full part stays until more comes: if none does, it may be all there is.
        while len(view) > self._part.room:
            view = memoryview(view)
            rest = view[self._part.room :]
            await self._take(view[: self._part.room])
            await self._send_part()
            view = rest
        await self._take(view)

    async def finish(self, note: Note | None = None) -> StoredObject:
        """Make the object durable, with a note beside it. Raises what `write` raises.

        After StoreUnavailable the object may be there all the same, or come later. An object whose
        note is not taken by the store is an object all the same.
        """
        if note is not None and (self._multipart is not None or not note.fits):
            keeping = asyncio.create_task(self._keep(note))
            try:
                stored = await self._finish(None)
            except BaseException:
                keeping.cancel()
                raise
            await keeping
            return stored
        return await self._finish(note)

    async def _finish(self, note: Note | None) -> StoredObject:
        if self._room is not None:
            self._room.part_full()
        if self._multipart is not None:
            await self._send_part()
            await self._settle(asyncio.ALL_COMPLETED)
        self._object_may_exist = True
        try:
            etag, at = await self._make_object(note.text if note is not None else None)
        except (StoreUnavailable, UploadSuperseded):
            # The answer may be lost and the object there: only then its size and digest agree.
            if (found := await self._look()) is None:
                raise
            etag, at = found.etag, None
        self._part = _FillingPart(1)  # whoever keeps the writer is to keep no bytes
        return StoredObject(self._size, self._crc32c, max(1, len(self._parts)), etag, at)

    async def abort(self) -> None:
        """Leave nothing of the object behind, whatever was reached, and even after `finish`.

        May be called again. Never fails: what the store does not give up now is left to the
        sweeper.
        """
        in_flight, self._in_flight = self._in_flight, set()
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)
        try:
            await self._forget()
        except GatewayError as error:
            log.warning("store.parts_not_removed", key=self._key, error=repr(error))

    async def _take(self, view: memoryview | bytes) -> None:
        if self._room is not None:
            await self._room.take(len(view))
        data = bytes(view)  # google-crc32c reads nothing else
        self._part.append(data)
        self._crc32c = google_crc32c.extend(self._crc32c, data)
        self._size += len(data)

    async def _send_part(self) -> None:
        if self._room is not None:
            self._room.part_full()
        if self._multipart is None:
            self._multipart = asyncio.create_task(self._store.create_multipart(self._key))
        if len(self._in_flight) == PARTS_IN_FLIGHT:
            await self._settle(asyncio.FIRST_COMPLETED)
        part, self._part = self._part, _FillingPart(self._part.number + 1)
        self._in_flight.add(asyncio.create_task(self._upload(self._multipart, part)))

    async def _upload(self, creation: asyncio.Task[Multipart], part: "_FillingPart") -> Part:
        # Shielded, so that an upload that the store has made is known to `abort`.
        multipart = await asyncio.shield(creation)
        with _given_up():
            sent = await self._store.upload_part(multipart, part.number, part.body, part.crc32c)
        if self._room is not None:
            self._room.give_back(part.size)
        return sent

    async def _settle(self, return_when: str) -> None:
        done, _ = await asyncio.wait(self._in_flight, return_when=return_when)
        self._collect(done)

    def _collect(self, done: set[asyncio.Task[Part]]) -> None:
        self._in_flight -= done
        for task in done:
            if (failure := task.exception()) is None:
                self._parts.append(task.result())
            else:
                self._failure = failure
        if self._failure is not None:
            raise self._failure

    async def _keep(self, note: Note) -> None:
        self._note = note
        try:
            await self._store.put(note.key, note.text.encode())
        except StoreUnavailable as error:
            log.warning("store.copy_not_saved", key=note.key, error=repr(error))

    async def _make_object(self, note: str | None) -> tuple[str, float | None]:
        """Its ETag, and when the store told of it."""
        if self._multipart is None:
            body = self._part.body
            return await self._store.put(self._key, body, crc32c=self._crc32c, note=note)
        with _given_up():
            etag = await self._store.complete_multipart(
                await self._multipart,
                sorted(self._parts, key=lambda part: part.number),
                size=self._size,
                crc32c=self._crc32c,
            )
        return etag, None

    async def _look(self) -> ObjectInfo | None:
        """The object, if it is there and is what was written."""
        try:
            found = await self._store.head(self._key)
        except (ObjectNotFound, StoreUnavailable):
            return None
        same = found.size == self._size and found.crc32c in {None, self._crc32c}
        return found if same else None

    async def _forget(self) -> None:
        if self._multipart is not None:
            multipart = await self._multipart
            await self._store.abort_multipart(multipart.key, multipart.upload_id)
            self._multipart = None
        if self._object_may_exist:
            await self._store.delete(self._key)
            self._object_may_exist = False
        if self._note is not None:
            await self._store.delete(self._note.key)
            self._note = None


@contextmanager
def _given_up() -> Iterator[None]:
    """A multipart upload that its writer did not end was ended by a sweeper."""
    try:
        yield
    except ObjectNotFound as error:
        raise UploadSuperseded(
            "the upload was abandoned in the meantime; please send it again"
        ) from error


class _FillingPart:
    """A part while its bytes come in; its buffer is also the body that is sent."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.room = part_size(number)
        self.crc32c = 0
        self.body = BytesIO()

    @property
    def size(self) -> int:
        """Bytes that it has."""
        return part_size(self.number) - self.room

    def append(self, data: bytes) -> None:
        self.room -= len(data)
        self.crc32c = google_crc32c.extend(self.crc32c, data)
        self.body.write(data)
