"""`uploads orphans` and `uploads recover`: complete files whose records are gone.

Most were never acknowledged: their gateway died, or the store failed, before the record was
written. If `pending/` was wiped or restored from a backup, they are acknowledged uploads. Both have
a copy of the record beside the file.
"""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from msgspec.structs import replace

from gateway.errors import ObjectNotFound, PreconditionFailed
from gateway.operate import report
from gateway.operate.bucket import Desk, Refused, act_on, read
from gateway.store.objects import ObjectInfo
from gateway.uploads import keys
from gateway.uploads.ids import parse_id
from gateway.uploads.ledger import ORPHANED_AFTER
from gateway.uploads.listing import merged
from gateway.uploads.record import Attempt, Upload
from gateway.uploads.spare import find_spare

_PREFIXES = (keys.INCOMING, keys.PENDING, keys.RECORDS)


async def list_orphans(desk: Desk, *, as_json: bool) -> bool:
    """Say of each orphan what the copy of its record tells. Raises StoreUnavailable."""
    found = 0
    async with aclosing(_orphans(desk)) as orphans:
        async for file in orphans:
            upload_id = keys.id_of(file.key)
            spare = await _spare_of(desk, upload_id)
            if as_json:
                desk.say(json.dumps(report.orphan_members(upload_id, file, spare)))
            else:
                if found == 0:
                    desk.say(report.ORPHAN_HEADINGS)
                desk.say(report.orphan_line(upload_id, file, spare))
            found += 1
    if found == 0 and not as_json:
        desk.complain("no file without a record")
    return True


async def recover(desk: Desk, upload_ids: Sequence[str]) -> bool:
    """Take orphans up again; returns whether all of them were."""
    return all([await act_on(desk, upload_id, _recover) for upload_id in upload_ids])


async def recover_all(desk: Desk) -> bool:
    """Take up again whatever has a copy of its record; returns whether that was done."""
    done = True
    async with aclosing(_orphans(desk)) as orphans:
        async for file in orphans:
            done = await act_on(desk, keys.id_of(file.key), _recover) and done
    return done


async def _orphans(desk: Desk) -> AsyncGenerator[ObjectInfo, None]:
    """The complete files without a record, the oldest upload first."""
    async with aclosing(merged(desk.store, _PREFIXES, None)) as uploads:
        async for found in uploads:
            file = found.get(keys.INCOMING)
            if file is None or len(found) > 1 or parse_id(keys.id_of(file.key)) is None:
                continue
            if file.age > ORPHANED_AFTER:  # a younger one may be about to get its record
                yield file


async def _spare_of(desk: Desk, upload_id: str) -> Upload | None:
    try:
        return await find_spare(desk.store, desk.settings.key_ring(), upload_id)
    except ObjectNotFound:
        return None


async def _recover(desk: Desk, upload_id: str) -> str:
    known = await read(desk.store, keys.pending(upload_id), keys.record(upload_id))
    if known is not None:
        raise Refused(f"it has a record, and is {known.state}")
    try:
        spare = await find_spare(desk.store, desk.settings.key_ring(), upload_id)
    except ObjectNotFound:
        raise Refused("its file is no longer in the bucket") from None
    if spare is None:
        raise Refused(
            "no copy of its record can be read: it was made with another GATEWAY_SECRET_KEY, or by"
            " a gateway that kept none"
        )
    # Its message may be there already, so the workers look for it before they send another.
    attempt = Attempt(count=0, first_at=spare.since, unknown=True)
    try:
        await desk.records.reopen(replace(spare, attempt=attempt))
    except PreconditionFailed:
        raise Refused("somebody else has just taken it up") from None
    return "taken up again, the sweeper sends it to the workers"
