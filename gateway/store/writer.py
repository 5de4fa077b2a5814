"""Writes bytes of unknown length as one object of the store, in parts that are kept in memory."""

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
    """A text to be kept with an object: in its metadata, or at `key` if it does not fit there.

    `beside`: at `key` in any case, since metadata cannot be changed later.
    """

    key: str
    text: str
    beside: bool = False

    @property
    def fits(self) -> bool:
        """Whether the text may be kept in metadata."""
        return not self.beside and len(self.text) <= LONGEST_NOTE


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A written object: its size in bytes, CRC32C, number of parts, and ETag.

    `at` is the store's time right after it accepted the object. It is None if that may have been
    much earlier: an object of several parts may be as old as its first part.
    """

    size: int
    crc32c: int
    parts: int
    etag: str
    at: float | None


class Room(Protocol):
    """Accounts for the memory of parts."""

    async def take(self, size: int) -> None:
        """Wait until the part that is being filled may use `size` bytes more."""

    def part_full(self) -> None:
        """Note that the part is full and on its way, and a new one begins."""

    def give_back(self, size: int) -> None:
        """Note that `size` bytes are free again."""


class ObjectWriter:
    """Writes one object. The creator of a writer ends it, by `finish` or by `abort`.

    It holds one part that is being filled and at most two on their way; `write` waits while both
    are. A file that fits in the first part becomes one PUT, any other a multipart upload. Each part
    is sent with its own CRC32C, and the whole object with that of all its bytes.
    """

    def __init__(self, store: ObjectStore, key: str, room: Room | None = None) -> None:
        """Write to `key`, which no other process writes; without a `room`, memory is not counted.

        No request is sent to the store before a part is full.
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
        """The CRC32C of all bytes so far."""
        return self._crc32c

    async def write(self, view: memoryview | bytes) -> None:
        """Write the next bytes; their buffer may be reused as soon as this returns.

        Raises StoreUnavailable, ChecksumMismatch, PartLimitExceeded, and UploadSuperseded if a
        sweeper took the upload for abandoned. Each may be the failure of an earlier part.
        """
        self._collect({task for task in self._in_flight if task.done()})
        # A full part waits until more bytes come: without them, it is the whole object.
        while len(view) > self._part.room:
            view = memoryview(view)
            rest = view[self._part.room :]
            await self._take(view[: self._part.room])
            await self._send_part()
            view = rest
        await self._take(view)

    async def finish(self, note: Note | None = None) -> StoredObject:
        """Make the object durable, with its note. Raises what `write` raises.

        After StoreUnavailable the object may exist, or appear later. If only the note could not be
        written, the object is finished without it.
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
            # The object may exist although the answer was lost: then its size and checksum agree.
            if (found := await self._look()) is None:
                raise
            etag, at = found.etag, None
        self._part = _FillingPart(1)  # the writer may outlive its need of this memory
        return StoredObject(self._size, self._crc32c, max(1, len(self._parts)), etag, at)

    async def abort(self) -> None:
        """Remove all traces of the object, at any point, even after `finish`.

        May be called again, and never fails: what the store does not delete now is left to the
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
        data = bytes(view)  # google-crc32c accepts nothing else
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
        # Shielded: `abort` must know of an upload that the store has begun.
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
        """Make the object; returns its ETag, and the store's time if it is known."""
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
        """The object, if it exists and is what was written."""
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
    """Raise UploadSuperseded if the multipart upload has vanished: a sweeper ended it."""
    try:
        yield
    except ObjectNotFound as error:
        raise UploadSuperseded(
            "the upload was abandoned in the meantime; please send it again"
        ) from error


class _FillingPart:
    """A part that is being filled; its buffer is also the body that is sent."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.room = part_size(number)
        self.crc32c = 0
        self.body = BytesIO()

    @property
    def size(self) -> int:
        """The number of bytes in it."""
        return part_size(self.number) - self.room

    def append(self, data: bytes) -> None:
        self.room -= len(data)
        self.crc32c = google_crc32c.extend(self.crc32c, data)
        self.body.write(data)
