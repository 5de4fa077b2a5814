"""Adds one request's bytes to a session, in bounded memory.

However the request ends, `commit` makes all of its bytes durable, so that no byte is sent twice.
Only a process that is killed, stopped or overtaken loses the bytes in its memory: at most three
parts, and those that it has sent within the last seconds.
"""

import asyncio
import hashlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import google_crc32c
from msgspec.structs import replace

from gateway import crash
from gateway.errors import GatewayError, ObjectNotFound, PartsLost
from gateway.resumable.session import (
    MOST_TAILS,
    FormAround,
    Parts,
    SentPart,
    Session,
    Tail,
    border,
    fenced,
)
from gateway.resumable.sessions import Kept, Sessions
from gateway.store.objects import Multipart, ObjectStore
from gateway.store.parts import PARTS_IN_FLIGHT, part_size
from gateway.store.writer import Room
from gateway.telemetry import get_logger
from gateway.uploads import keys

log = get_logger(__name__)

UNMARKED: Final = 1024**2
"""A request that brings fewer bytes than this writes nothing to the session before its last write.
"""

_PROGRESS_SECONDS: Final = 2.0
_READ_AT_ONCE: Final = 8
_READS: Final = 2


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """A part on its way; `crc32c` is the whole file's, up to the end of this part."""

    task: asyncio.Task[SentPart]
    crc32c: int


class Appender:
    """Writes the bytes of one request, from the session's offset on.

    It holds one part that is being filled and at most two on their way; `write` waits while both
    are. The creator of an appender ends it by `commit` or `abandon`.
    """

    def __init__(
        self,
        store: ObjectStore,
        sessions: Sessions,
        kept: Kept,
        room: Room,
        *,
        whole: bool = False,
        sha256: bool = False,
    ) -> None:
        """Continue the session as it was read; `room` accounts for the memory of parts.

        `whole`: the request's bytes count only after `commit`; `abandon` drops them. `sha256`: hash
        the file, if this request brings it from its first byte on.
        """
        self._whole = whole
        self.around: Callable[[int], FormAround] | None = None
        """What the session contains of a form, once that many bytes of its file are durable."""
        self._store = store
        self._sessions = sessions
        self._room = room
        self._kept = kept
        session = kept.session
        self._number = len(session.sent) + 1
        self._tails = session.tails
        """The beginning of the part that is being filled."""
        self._has_room_for_tails = False
        self._missing = part_size(self._number) - session.in_tails
        self._buffer = BytesIO()
        self._crc32c = session.crc32c
        self._sha256 = hashlib.sha256() if sha256 and session.stored == 0 else None
        self._multipart: asyncio.Task[Multipart] | None = None
        self._in_flight: deque[_Outgoing] = deque()
        self._failure: BaseException | None = None
        self._parts = session.parts
        self._crc32c_of_parts = session.crc32c
        self._committed_at = time.monotonic()
        self._telling: asyncio.Task[None] | None = None
        """The write of the session that is in progress."""

    @property
    def offset(self) -> int:
        """The number of bytes of the file so far."""
        return border(self._number) - self._missing

    @property
    def sha256(self) -> str | None:
        """The hash of the file up to `offset`, if this request has brought all of it."""
        return self._sha256.hexdigest() if self._sha256 is not None else None

    async def begin(self) -> None:
        """Note in the session that a request is sending parts, so that the next one can end it.

        Raises SessionTaken, StoreUnavailable.
        """
        session = replace(fenced(self._kept.session), holder=secrets.token_hex(8))
        self._kept = await self._sessions.change(self._kept, session)

    async def write(self, data: bytes) -> None:
        """Add the next bytes.

        Raises StoreUnavailable, ChecksumMismatch, SessionTaken, PartsLost (each also for an earlier
        part that failed), PartLimitExceeded, BudgetExhausted.
        """
        self._collect()
        if len(self._tails) >= MOST_TAILS:  # the tails are read even if the part never fills up
            await self._take_room_for_tails()
        while data:
            piece, data = data[: self._missing], data[self._missing :]
            await self._room.take(len(piece))
            self._buffer.write(piece)
            self._crc32c = google_crc32c.extend(self._crc32c, piece)
            if self._sha256 is not None:
                self._sha256.update(piece)
            self._missing -= len(piece)
            if not self._missing:
                await self._send_part()

    async def commit(self, conclude: Callable[[Session], Session]) -> Kept:
        """Make all bytes durable; `conclude` returns the session that is written.

        Raises what `write` raises, after it has committed everything before the failed part.
        """
        while self._in_flight and self._failure is None:
            await asyncio.wait([self._in_flight[0].task])
            self._take_done()
        await self._hear_of_progress()
        session = self._progressed()
        if self._failure is None:
            if self._buffer.tell():
                session = await self._with_tail(session)
            session = conclude(self._in_form(session))
        session = replace(session, holder=None)
        if session != self._kept.session:
            await self._change(session)
        if self._failure is not None:
            await self._give_up_parts()
            raise self._failure
        return self._kept

    async def abandon(self) -> Kept:
        """Drop the bytes of this request. Raises SessionTaken, StoreUnavailable."""
        await self._give_up_parts()
        await self._hear_of_progress()
        if self._kept.session.holder is not None:
            await self._change(replace(self._kept.session, holder=None))
        return self._kept

    async def _take_room_for_tails(self) -> None:
        if self._tails and not self._has_room_for_tails:
            await self._room.take(sum(tail.size for tail in self._tails))
            self._has_room_for_tails = True

    async def _send_part(self) -> None:
        await self._take_room_for_tails()
        self._room.part_full()
        if self._multipart is None:
            self._multipart = asyncio.create_task(self._open_multipart())
        if len(self._in_flight) == PARTS_IN_FLIGHT:
            await asyncio.wait([self._in_flight[0].task])
        self._collect()
        self._tell_progress()
        sending = self._upload(self._multipart, self._number, self._tails, self._buffer)
        self._in_flight.append(_Outgoing(asyncio.create_task(sending), self._crc32c))
        self._number += 1
        self._missing = part_size(self._number)
        self._tails, self._buffer = (), BytesIO()

    async def _open_multipart(self) -> Multipart:
        parts, key = self._parts, keys.incoming(self._kept.session.id)
        if parts is not None:
            return Multipart(key, parts.upload_id, parts.whole_checksum)
        made = await self._store.create_multipart(key)
        self._parts = Parts(upload_id=made.upload_id, whole_checksum=made.whole_checksum)
        return made

    async def _upload(
        self,
        creation: asyncio.Task[Multipart],
        number: int,
        tails: Sequence[Tail],
        rest: BytesIO,
    ) -> SentPart:
        multipart = await asyncio.shield(creation)
        body = rest.getvalue()
        if tails:
            body = await read_tails(self._store, self._kept.session.id, tails) + body
        del rest  # else these bytes would be in memory twice while they are sent
        crc32c = google_crc32c.value(body)
        try:
            sent = await self._store.upload_part(multipart, number, BytesIO(body), crc32c)
        except ObjectNotFound as error:
            raise PartsLost(multipart.upload_id) from error
        crash.point(crash.Point.SESSION_PART)
        self._room.give_back(len(body))
        return SentPart(sent.etag, crc32c)

    def _collect(self) -> None:
        self._take_done()
        if self._telling is not None and self._telling.done():
            self._take_told(self._telling)
        if self._failure is not None:
            raise self._failure

    def _take_done(self) -> None:
        """Count the parts that the store has, in order, up to the first failure."""
        while self._failure is None and self._in_flight and self._in_flight[0].task.done():
            outgoing = self._in_flight.popleft()
            self._failure = outgoing.task.exception()
            if self._failure is None and self._parts is not None:
                sent = (*self._parts.sent, outgoing.task.result())
                self._parts = replace(self._parts, sent=sent)
                self._crc32c_of_parts = outgoing.crc32c

    def _tell_progress(self) -> None:
        if self._whole:
            return
        session = self._progressed()
        since = time.monotonic() - self._committed_at
        if since >= _PROGRESS_SECONDS and self._telling is None and session != self._kept.session:
            self._telling = asyncio.create_task(self._change(session))

    async def _hear_of_progress(self) -> None:
        """Wait for the write that is in progress: the next one must name its version."""
        if self._telling is not None:
            await asyncio.wait([self._telling])
            self._take_told(self._telling)

    def _take_told(self, telling: asyncio.Task[None]) -> None:
        self._failure = self._failure or telling.exception()
        self._telling = None

    def _progressed(self) -> Session:
        """The session with all parts that the store has."""
        session = self._kept.session
        if self._parts is None or len(self._parts.sent) == len(session.sent):
            return session
        parts, crc32c = self._parts, self._crc32c_of_parts
        return self._in_form(replace(session, parts=parts, tails=(), crc32c=crc32c))

    def _in_form(self, session: Session) -> Session:
        """The session with what is around as much of its file as it has."""
        if self.around is None:
            return session
        return replace(session, form=self.around(session.stored))

    async def _with_tail(self, session: Session) -> Session:
        """The session with the rest after the last whole part, which this makes durable."""
        body, before = self._buffer.getvalue(), session.tails
        self._buffer = BytesIO()
        start = session.offset
        if len(before) >= MOST_TAILS:
            body = await read_tails(self._store, session.id, before) + body
            start, before = border(len(session.sent)), ()
        tail = Tail(f"{start:020}-{secrets.token_hex(8)}", len(body), google_crc32c.value(body))
        await self._store.put(keys.tail(session.id, tail.name), body, crc32c=tail.crc32c)
        crash.point(crash.Point.SESSION_TAIL)
        return replace(session, tails=(*before, tail), crc32c=self._crc32c)

    async def _change(self, session: Session) -> None:
        before = self._kept.session.tails
        self._kept = await self._sessions.change(self._kept, session)
        self._committed_at = time.monotonic()
        unneeded = [tail for tail in before if tail not in session.tails]
        try:
            await self._store.delete_all([keys.tail(session.id, each.name) for each in unneeded])
        except GatewayError as error:  # the session's end removes them
            log.warning("session.tails_not_removed", error=repr(error))

    async def _give_up_parts(self) -> None:
        tasks = [outgoing.task for outgoing in self._in_flight]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def read_tails(store: ObjectStore, upload_id: str, tails: Sequence[Tail]) -> bytes:
    """The bytes of the tails, in order; damaged answers are requested once more.

    Raises PartsLost, StoreUnavailable.
    """

    async def read(tail: Tail) -> bytes:
        for _ in range(_READS):
            try:
                content = await store.read_range(keys.tail(upload_id, tail.name), 0, tail.size)
            except ObjectNotFound as error:
                raise PartsLost(tail.name) from error
            if google_crc32c.value(content) == tail.crc32c:
                return content
            log.warning("session.damaged", upload_id=upload_id, tail=tail.name)
        raise PartsLost(tail.name)

    found: list[bytes] = []
    for start in range(0, len(tails), _READ_AT_ONCE):
        found += await asyncio.gather(*map(read, tails[start : start + _READ_AT_ONCE]))
    return b"".join(found)
