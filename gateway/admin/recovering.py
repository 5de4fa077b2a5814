"""`uploads orphans`, `recover` and `discard`: complete files whose records are gone.

Some were never acknowledged: their gateway died, or the store failed, before the record was
written. If `pending/` or `records/` was wiped, or restored from a backup, they are acknowledged
uploads. All have a copy of the record next to the file.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

from gateway.admin import report
from gateway.admin.bucket import Act, NotDone, Orphan, Session, Tally, act_on, read
from gateway.errors import ObjectNotFound, PreconditionFailed
from gateway.records.bucket import ORPHANED_AFTER
from gateway.records.listing import merged
from gateway.records.orphans import was_accepted
from gateway.records.spare import find_spare, recovered
from gateway.store.objects import ObjectInfo
from gateway.uploads import keys
from gateway.uploads.ids import parse_id
from gateway.uploads.record import Upload, abandoned

_PREFIXES: Final = (keys.INCOMING, keys.PENDING, keys.RECORDS, keys.ORPHANS)
_AT_A_TIME: Final = 16


async def list_orphans(session: Session, *, as_json: bool) -> bool:
    """Print each orphan with the data of its record's copy. Raises StoreUnavailable."""
    shown = 0
    async for batch in _batches(session):
        for orphan in await asyncio.gather(*(_describe(session, *each) for each in batch)):
            if as_json:
                session.out(json.dumps(report.orphan_members(orphan)))
            else:
                if shown == 0:
                    session.out(report.ORPHAN_HEADINGS)
                session.out(report.orphan_line(orphan, time.time()))
            shown += 1
    if shown == 0 and not as_json:
        session.err(report.NO_ORPHANS)
    return True


async def recover(session: Session, upload_ids: Sequence[str], *, dry_run: bool) -> bool:
    """Recover orphans; returns whether all of them could be."""
    act = _would_recover if dry_run else _recover
    return all([await act_on(session, upload_id, act) for upload_id in upload_ids])


async def recover_all(session: Session, *, only_accepted: bool, dry_run: bool) -> bool:
    """Recover all orphans with a copy of their record; returns whether that succeeded."""
    act = _would_recover if dry_run else _recover
    return (await _act_on_all(session, act, only_accepted=only_accepted)).done


async def discard(session: Session, upload_ids: Sequence[str], *, force: bool) -> bool:
    """Remove orphans now; returns whether all could be. `force`: accepted ones as well."""
    act = _discard if force else _discard_unless_accepted
    return all([await act_on(session, upload_id, act) for upload_id in upload_ids])


async def discard_all(session: Session) -> bool:
    """Remove all orphans, except those that are known to have been accepted."""
    tally = await _act_on_all(session, _discard_unless_accepted, but=WasAccepted)
    if tally.left:
        session.err(f"skipped because they were accepted: {tally.left}; see `uploads recover`")
    return tally.done


class WasAccepted(NotDone):
    """The file was acknowledged to its client."""


async def _act_on_all(
    session: Session, act: Act, *, only_accepted: bool = False, but: type[NotDone] | None = None
) -> Tally:
    tally = Tally()
    async for batch in _batches(session):
        ids = [
            keys.id_of(file.key)
            for file, mark in batch
            if not only_accepted or (mark is not None and was_accepted(mark))
        ]
        await asyncio.gather(*(tally.act_on(session, each, act, but) for each in ids))
    if tally.tried == 0:
        session.err(report.NONE_ACCEPTED if only_accepted else report.NO_ORPHANS)
    return tally


Place = tuple[ObjectInfo, ObjectInfo | None]
"""A file and its mark."""


async def _batches(session: Session) -> AsyncGenerator[list[Place], None]:
    """The complete files without a record, the oldest upload first, a few at a time."""
    batch: list[Place] = []
    async with aclosing(merged(session.store, _PREFIXES, None)) as uploads:
        async for found in uploads:
            file = found.get(keys.INCOMING)
            if file is None or keys.PENDING in found or keys.RECORDS in found:
                continue
            # A younger one may be about to get its record.
            if parse_id(keys.id_of(file.key)) is not None and file.age > ORPHANED_AFTER:
                batch.append((file, found.get(keys.ORPHANS)))
            if len(batch) == _AT_A_TIME:
                yield batch
                batch = []
    yield batch


async def _describe(session: Session, file: ObjectInfo, mark: ObjectInfo | None) -> Orphan:
    try:
        spare = await find_spare(session.store, session.settings.key_ring(), keys.id_of(file.key))
    except ObjectNotFound:
        spare = None
    left = max(0.0, session.settings.orphan_retention - mark.age) if mark is not None else None
    return Orphan(file, mark, spare, left)


async def _find(session: Session, upload_id: str) -> Orphan:
    """The orphan of that id. Raises NotDone if there is none."""
    known = await read(session.store, keys.pending(upload_id), keys.record(upload_id))
    if known is not None:
        raise NotDone(f"it has a record, and is {known.state}")
    try:
        file = await session.store.head(keys.incoming(upload_id))
    except ObjectNotFound:
        raise NotDone("its file is no longer in the bucket") from None
    try:
        document = await session.store.get(keys.orphan(upload_id))
    except ObjectNotFound:
        return await _describe(session, file, None)
    size = len(document.content)
    mark = ObjectInfo(keys.orphan(upload_id), size, document.etag, document.age)
    return await _describe(session, file, mark)


async def _would_recover(session: Session, upload_id: str) -> str:
    _copy_of(await _find(session, upload_id))
    return "would be resumed"


async def _recover(session: Session, upload_id: str) -> str:
    orphan = await _find(session, upload_id)
    # Its message may exist already, so the workers search for it before they send another.
    quiet = orphan.mark.age if orphan.mark is not None else 0.0
    try:
        await session.records.recover(recovered(_copy_of(orphan), datetime.now(UTC), quiet))
    except PreconditionFailed:
        raise NotDone("another process has just resumed it") from None
    return "resumed; the sweeper will send it to the workers"


def _copy_of(orphan: Orphan) -> Upload:
    if orphan.spare is None:
        raise NotDone(
            "no copy of its record can be read: it was made with another GATEWAY_SECRET_KEY, or"
            " the gateway kept none"
        )
    return orphan.spare


async def _discard_unless_accepted(session: Session, upload_id: str) -> str:
    if (await _find(session, upload_id)).was_accepted:
        raise WasAccepted("it was accepted: recover it, or remove it anyway with --force")
    return await _discard(session, upload_id)


async def _discard(session: Session, upload_id: str) -> str:
    await _find(session, upload_id)
    if not await session.records.fence(abandoned(upload_id, datetime.now(UTC))):
        raise NotDone("another process has just resumed it")
    return "removed"
