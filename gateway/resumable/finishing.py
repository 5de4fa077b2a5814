"""The end of a session: a file and an accepted upload, or nothing.

Every step may already have been done, by this process or another one. So any process that finds a
session at its end can finish it: the request with the last byte, a repeated request, a worker.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace as changed
from datetime import datetime
from io import BytesIO
from typing import Final

import google_crc32c
from msgspec.structs import replace

from gateway import crash
from gateway.backends import Backends
from gateway.errors import (
    ChecksumMismatch,
    EmptyFile,
    ObjectNotFound,
    PartChanged,
    PartsLost,
    SessionEnded,
    StoreUnavailable,
    UploadSuperseded,
)
from gateway.metrics.catalogue import SESSION_ENDS
from gateway.records.spare import spare_of
from gateway.resumable.appending import read_tails
from gateway.resumable.clearing import clear
from gateway.resumable.session import Parts, Phase, Session, move
from gateway.resumable.sessions import Kept, Sessions
from gateway.store.objects import Multipart, ObjectStore, Part, StoredPart
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.lifecycle import advance
from gateway.uploads.record import File, State, Upload

log = get_logger(__name__)

_PIECE: Final = 8 * 1024 * 1024
"""An object is read in pieces of this many bytes."""


def described(session: Session, *, sha256: str | None = None) -> File:
    """The file of a session, as its client described it at the creation. Raises EmptyFile."""
    if session.stored == 0:
        raise EmptyFile("the file has no bytes; send a file with content")
    return File(
        name=session.name,
        original_name=session.original_name,
        declared_type=session.declared_type,
        size=session.stored,
        sha256=sha256,
    )


def completed(session: Session, file: File, backends: Backends, at: datetime) -> Session:
    """The session with all of its bytes, and the record of its upload."""
    upload = replace(
        advance(session.upload, State.STORED, at),
        files=(replace(file, crc32c=session.crc32c),),
        url=backends.file_url(session.id, file.name, at),
        came_as=session.offset if session.form is not None else None,
    )
    return move(replace(session, upload=upload, length=session.offset), Phase.COMPLETE)


async def finish(backends: Backends, sessions: Sessions, kept: Kept) -> Upload:
    """Make the file of a complete session, and accept its upload like any other hosted one.

    Raises UploadSuperseded if the upload was abandoned in the meantime, SessionEnded if its bytes
    are lost or have changed, and StoreUnavailable, after which this may be called again.
    """
    session = kept.session
    try:
        await _assemble(backends, session)
        crash.point(crash.Point.SESSION_ASSEMBLED)
        await backends.accept_hosted(session.upload)
        SESSION_ENDS.add(Phase.COMPLETE)
    except UploadSuperseded:
        await give_up(backends, sessions, kept, Phase.INVALID)
        raise
    except (ObjectNotFound, PartsLost) as error:
        return await _without_bytes(backends, sessions, kept, error)
    try:
        await sessions.remove(session.id)
    except StoreUnavailable as error:  # the sweeper removes it
        log.warning("session.not_removed", error=repr(error))
    return session.upload


async def _without_bytes(
    backends: Backends, sessions: Sessions, kept: Kept, error: ObjectNotFound | PartsLost
) -> Upload:
    """Handle missing bytes: another process has finished the session, or the store lost them."""
    known = await backends.ledger.find_in_bucket(kept.session.id)
    if known is not None and known.state is not State.ABORTED:
        return known
    SESSION_ENDS.add("lost")
    log.error("session.lost", upload_id=kept.session.id, error=repr(error))
    await give_up(backends, sessions, kept, Phase.INVALID)
    raise SessionEnded("the store has lost bytes of the upload: send it again") from error


async def settle(backends: Backends, sessions: Sessions, kept: Kept) -> Upload:
    """Finish a complete session, which another process may also finish; returns its upload.

    Raises what `finish` raises.
    """
    known = await backends.ledger.find_in_bucket(kept.session.id)
    if known is None or known.state is State.ABORTED:
        return await finish(backends, sessions, kept)
    await sessions.remove(kept.session.id)
    return known


async def give_up(backends: Backends, sessions: Sessions, kept: Kept, phase: Phase) -> None:
    """Remove everything of a session, but leave the record of an upload that never is accepted.

    Raises SessionTaken if another request has changed the session, StoreUnavailable.
    """
    await clear(backends.store, backends.ledger, sessions, kept, phase)


async def _assemble(backends: Backends, session: Session) -> None:
    """Make the file from the parts and the tails, unless it exists.

    Raises ObjectNotFound or PartsLost if bytes are lost or have changed, StoreUnavailable.
    """
    store, key = backends.store, keys.incoming(session.id)
    note = spare_of(session.upload, backends.ring)
    file = session.upload.file
    if session.parts is not None or not note.fits:
        await store.put(note.key, note.text.encode())
    try:
        rest = await read_tails(store, session.id, session.tails)
        if session.parts is None:
            text = note.text if note.fits else None
            with _sending():
                await store.put(key, rest, crc32c=file.crc32c, note=text)
        else:
            await _complete(store, session, session.parts, rest)
    except (ObjectNotFound, PartsLost, StoreUnavailable):
        # The object may exist although the answer was lost: then its size and checksum agree.
        if not await _is_there(store, key, file):
            raise


async def _complete(store: ObjectStore, session: Session, sent: Parts, rest: bytes) -> None:
    key, file = keys.incoming(session.id), session.upload.file
    multipart = Multipart(key, sent.upload_id, sent.whole_checksum)
    parts = [Part(number, each.etag, each.crc32c) for number, each in enumerate(sent.sent, 1)]
    if rest:
        crc32c = google_crc32c.value(rest)
        with _sending():
            last = await store.upload_part(multipart, len(parts) + 1, BytesIO(rest), crc32c)
        parts.append(last)
    try:
        await _join(store, multipart, parts, file)
    except (PartChanged, ChecksumMismatch) as error:
        raise PartsLost(multipart.upload_id) from error


async def _join(
    store: ObjectStore, multipart: Multipart, parts: Sequence[Part], file: File
) -> None:
    """Make the object from its parts.

    Raises PartChanged and ChecksumMismatch if the parts have other bytes than were sent,
    ObjectNotFound if the upload has ended, StoreUnavailable.
    """
    crc32c = file.crc32c if file.crc32c is not None else 0
    with suppress(PartChanged):
        await store.complete_multipart(multipart, parts, size=file.size, crc32c=crc32c)
        return
    # A request that came too late has sent a part again. The bytes are the same, but if the store
    # encrypts them, the ETag is not.
    again = _as_stored(parts, await store.parts(multipart))
    await store.complete_multipart(multipart, again, size=file.size, crc32c=crc32c)
    if not await _is_there(store, multipart.key, file):
        raise ChecksumMismatch("the store has other bytes than the gateway sent")


@contextmanager
def _sending() -> Iterator[None]:
    """Raise StoreUnavailable if bytes were damaged on their way: they can be sent again."""
    try:
        yield
    except ChecksumMismatch as error:
        raise StoreUnavailable("the store received other bytes than the gateway sent") from error


def _as_stored(parts: Sequence[Part], stored: Sequence[StoredPart]) -> list[Part]:
    """The parts with their ETags at the store; parts with other bytes are unchanged. Pure."""
    now = {each.number: each for each in stored}

    def by_its_etag(part: Part) -> Part:
        found = now.get(part.number)
        if found is None or found.crc32c not in {None, part.crc32c}:
            return part
        return changed(part, etag=found.etag)

    return [by_its_etag(part) for part in parts]


async def _is_there(store: ObjectStore, key: str, file: File) -> bool:
    """Whether the object is the file; it is read if the store does not report its CRC32C.

    Raises StoreUnavailable.
    """
    try:
        found = await store.head(key)
        if found.size != file.size:
            return False
        told = found.crc32c
        crc32c = told if told is not None else await _crc32c_of(store, key, file.size)
    except ObjectNotFound:
        return False
    return crc32c == file.crc32c


async def _crc32c_of(store: ObjectStore, key: str, size: int) -> int:
    """The CRC32C of an object's bytes. Raises ObjectNotFound, StoreUnavailable."""
    crc32c = 0
    for start in range(0, size, _PIECE):
        piece = await store.read_range(key, start, min(_PIECE, size - start))
        crc32c = google_crc32c.extend(crc32c, piece)
    return crc32c
