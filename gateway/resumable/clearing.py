"""Ends a session without a file: removes all that has come, and has its upload never accepted.

It needs only the bucket, so an operator can do the same while every other part is down.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from msgspec.structs import replace

from gateway.metrics.catalogue import SESSION_ENDS
from gateway.records.bucket import BucketRecords
from gateway.resumable.session import Phase, move
from gateway.resumable.sessions import Kept, Sessions
from gateway.store.objects import ObjectStore, UnfinishedMultipart
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.record import abandoned

log = get_logger(__name__)


async def clear(
    store: ObjectStore, records: BucketRecords, sessions: Sessions, kept: Kept, phase: Phase
) -> None:
    """Leave nothing of a session but the record of an upload that will never be accepted.

    Raises SessionTaken if another request has changed the session, StoreUnavailable.
    """
    session = kept.session
    if session.phase is not phase:
        session = (await sessions.change(kept, move(session, phase))).session
    if session.parts is not None:
        await store.abort_multipart(keys.incoming(session.id), session.parts.upload_id)
    dead = abandoned(session.id, datetime.now(UTC))
    await records.fence(replace(dead, subject=session.upload.subject, target=session.upload.target))
    await sessions.remove(session.id)
    SESSION_ENDS.add(phase)
    log.info("session.ended", upload_id=session.id, phase=session.phase, offset=session.offset)


async def clear_unreadable(
    store: ObjectStore, records: BucketRecords, sessions: Sessions, upload_id: str
) -> None:
    """Do the same for a session that cannot be read; if it has become an upload, that stays.

    The fence comes first: a gateway of another version may be able to read and finish the session.
    Raises StoreUnavailable.
    """
    await records.fence(abandoned(upload_id, datetime.now(UTC)))
    async for multipart in _multiparts_of(store, upload_id):
        await store.abort_multipart(multipart.key, multipart.upload_id)
    await sessions.remove(upload_id)
    SESSION_ENDS.add(Phase.CANCELLED)
    log.info("session.ended", upload_id=upload_id, phase=Phase.CANCELLED, offset=None)


async def _multiparts_of(store: ObjectStore, upload_id: str) -> AsyncIterator[UnfinishedMultipart]:
    """A session that cannot be read does not say which multipart upload is its own."""
    key = keys.incoming(upload_id)
    async for multipart in store.list_multipart_uploads(key):
        if multipart.key == key:
            yield multipart
