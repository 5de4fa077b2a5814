"""`uploads retry` and `uploads cancel`: change records as an operator decides.

Both use only conditional writes, so that no worker acts on an outdated record.
"""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from math import ceil
from typing import Final

from msgspec.structs import replace

from gateway.admin.bucket import (
    NoSuchUpload,
    NotDone,
    Session,
    Tally,
    act_on,
    file_of,
    read_session,
)
from gateway.admin.search import Query, search
from gateway.choices import Delivery
from gateway.errors import (
    ObjectNotFound,
    PreconditionFailed,
    SessionTaken,
    SessionUnreadable,
    UploadNotFound,
)
from gateway.records.bucket import Entry
from gateway.resumable.clearing import clear, clear_unreadable
from gateway.resumable.session import Phase
from gateway.resumable.sessions import Sessions
from gateway.uploads.attempts import carried_over, under_way_for
from gateway.uploads.lifecycle import advance, is_end, reopen, supersedes
from gateway.uploads.record import CANCELLED, State, Upload

FILE_GONE: Final = "its file is no longer in the bucket"

_TRIES: Final = 10
"""How often a session is read again that its client has continued in the meantime."""


class FileGone(NotDone):
    """There is nothing left that could be registered."""


async def retry(session: Session, upload_ids: Sequence[str]) -> bool:
    """Resume failed uploads; returns whether all of them could be."""
    return all([await act_on(session, upload_id, resume) for upload_id in upload_ids])


async def retry_all(session: Session) -> bool:
    """Resume all failed uploads that can be resumed; returns whether that succeeded."""
    tally = Tally()
    query = Query(states=frozenset({State.FAILED}))
    async with aclosing(search(session.store, query, session.console.count)) as failed:
        async for found in failed:
            upload = found.upload
            if upload is not None and upload.delivery is Delivery.EXTERNAL:
                await tally.act_on(session, upload.id, resume, but=FileGone)
    if tally.tried == 0:
        session.err("no hosted upload has failed")
    if tally.left:
        session.err(f"skipped because their files are gone: {tally.left}")
    return tally.done


async def cancel(session: Session, upload_ids: Sequence[str], *, force: bool) -> bool:
    """End pending uploads as failed, and those that are still received as aborted.

    Returns whether all of them could be. `force`: also those for which ChatKitty may have a
    message, and those whose session cannot be read.
    """

    async def act(session: Session, upload_id: str) -> str:
        return await end(session, upload_id, force=force)

    return all([await act_on(session, upload_id, act) for upload_id in upload_ids])


def why_not_retry(upload: Upload, *, has_credentials: bool) -> str | None:
    """Why a failed upload cannot be resumed; None if it can. Pure."""
    if upload.delivery is Delivery.RELAY:
        return "a relayed upload cannot be retried: the gateway did not keep its bytes"
    if not has_credentials and upload.authorization is None:
        return (
            "it needs its caller's token, which the gateway deletes when an upload ends: set"
            " GATEWAY_UPSTREAM_CLIENT_ID and _SECRET, here and for the workers"
        )
    return None


def why_not_cancel(entry: Entry, *, force: bool) -> str | None:
    """Why a pending upload cannot be cancelled; None if it can. Pure."""
    upload, attempt = entry.upload, entry.upload.attempt
    if is_end(upload.state):
        return f"it is {upload.state}"
    if upload.delivery is Delivery.RELAY:
        return "a relayed upload cannot be cancelled: ChatKitty has its bytes"
    if upload.fault is not None:
        cancelled = upload.fault.slug == CANCELLED.slug  # by a command that was interrupted
        return None if cancelled else f"it is about to end by itself: {upload.fault.slug}"
    if (seconds := under_way_for(attempt, entry.age)) > 0:
        return f"it is being registered right now: try again in {ceil(seconds)} seconds"
    if attempt is not None and attempt.unknown and not force:
        return (
            "an earlier attempt may have reached ChatKitty, and its message would then link to a"
            " removed file: --force cancels anyway"
        )
    return None


async def resume(session: Session, upload_id: str) -> str:
    """Resume one failed upload; returns what was done.

    Raises NotDone, IllegalTransition, StoreUnavailable, and MsgspecError for an unreadable record.
    """
    ended = await _open_ended(session, upload_id)
    has_credentials = session.settings.upstream_client_id is not None
    reason = why_not_retry(ended.upload, has_credentials=has_credentials)
    if reason is not None and ended.upload.state is State.FAILED:
        raise NotDone(reason)
    again = reopen(ended.upload, datetime.now(UTC))
    if await file_of(session.store, upload_id) is None:
        raise FileGone(FILE_GONE)
    if again.attempt is not None:
        again = replace(again, attempt=carried_over(again.attempt, ended.age))
    try:
        await session.records.reopen(again)
    except PreconditionFailed:
        raise NotDone("it is pending already") from None
    return f"{again.state} again; {_when(session, again)}"


def _when(session: Session, upload: Upload) -> str:
    period = f"the sweeper resumes it within {session.settings.sweep_interval:g} s"
    seconds = under_way_for(upload.attempt, 0.0)
    if seconds == 0:
        return period
    return f"{period}, {ceil(seconds)} s from now at the earliest: its last attempt may be running"


async def _open_ended(session: Session, upload_id: str) -> Entry:
    try:
        return await session.records.open_ended(upload_id)
    except ObjectNotFound:
        pending = await _pending_or_session(session, upload_id)
        raise NotDone(f"it is {pending.upload.state}, and has not failed") from None


async def _pending_or_session(session: Session, upload_id: str) -> Entry:
    try:
        return await _open_pending(session, upload_id)
    except NoSuchUpload:
        if await read_session(session.store, upload_id) is None:
            raise
        raise NotDone("it has not been received as a whole: only its client can continue") from None


async def _open_pending(session: Session, upload_id: str) -> Entry:
    try:
        return await session.records.open_kept(upload_id)
    except ObjectNotFound:
        raise NoSuchUpload from None


async def end(session: Session, upload_id: str, *, force: bool) -> str:
    """End one pending upload as failed, or one that is still received as aborted.

    Returns what was done. Raises what `resume` raises.
    """
    try:
        entry = await _open_to_cancel(session, upload_id)
    except NoSuchUpload:
        return await _cancel_session(session, upload_id, force=force)
    if reason := why_not_cancel(entry, force=force):
        raise NotDone(reason)
    entry = await _mark(session, entry)
    ended = await session.records.ended(upload_id)
    if ended is not None and not supersedes(entry.upload, ended):
        await session.records.forget_pending(upload_id)
        raise NotDone(f"it has ended as {ended.state}")
    await session.records.forget_file(upload_id)
    upload = replace(entry.upload, authorization=None)
    try:
        saved = await session.records.save(entry, advance(upload, State.FAILED, datetime.now(UTC)))
    except PreconditionFailed:
        raise NotDone("somebody else is cancelling it") from None
    if saved.upload.fault != CANCELLED:
        raise NotDone(f"it has ended as {saved.upload.state}")
    return "cancelled"


async def _cancel_session(session: Session, upload_id: str, *, force: bool) -> str:
    """Give up an upload that has arrived only in part. Raises NoSuchUpload, NotDone."""
    store, records, sessions = session.store, session.records, Sessions(session.store)
    for _ in range(_TRIES):
        try:
            kept = await sessions.read(upload_id)
            if kept.session.phase is Phase.COMPLETE:
                raise NotDone("it is complete, and about to be accepted: try again in a moment")
            phase = Phase.CANCELLED if kept.session.phase is Phase.OPEN else kept.session.phase
            await clear(store, records, sessions, kept, phase)
        except UploadNotFound:
            raise NoSuchUpload from None
        except SessionUnreadable:
            if not force:
                raise NotDone(
                    "its state cannot be read: --force removes it, with all bytes that have arrived"
                ) from None
            await clear_unreadable(store, records, sessions, upload_id)
        except SessionTaken:
            continue
        return "cancelled"
    raise NotDone("its client keeps sending: try again in a moment")


async def _open_to_cancel(session: Session, upload_id: str) -> Entry:
    try:
        return await _open_pending(session, upload_id)
    except NoSuchUpload:
        ended = await session.records.ended(upload_id)
        if ended is None:
            raise
        raise NotDone(f"it has ended as {ended.state}") from None


async def _mark(session: Session, entry: Entry) -> Entry:
    """Mark the record as cancelled: after that write, no worker can register the upload."""
    upload = replace(entry.upload, fault=CANCELLED)
    if upload.attempt is not None:
        upload = replace(upload, attempt=carried_over(upload.attempt, entry.age))
    try:
        return await session.records.save(entry, upload)
    except PreconditionFailed:
        raise NotDone("a worker is processing it: try again in a moment") from None
