"""`uploads purge`: orders to erase uploads, files and records, for workers to carry out."""

import json
import time
from collections.abc import Collection
from contextlib import aclosing

from gateway.admin import report
from gateway.admin.bucket import Session
from gateway.admin.search import Query, search
from gateway.records.claims import Claims
from gateway.records.removals import Order, Removals
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.record import Cause, is_erased

log = get_logger(__name__)


async def purge(session: Session, query: Query, *, yes: bool) -> bool:
    """Print the uploads that are found and, with `yes`, order workers to erase them.

    Claims of their idempotency keys are erased first: an interrupted command can be run again.
    """
    found: dict[str, str] = {}
    size = 0
    async with aclosing(search(session.store, query, session.console.count)) as uploads:
        async for each in uploads:
            if each.upload is None or is_erased(each.upload):
                continue
            if session.console.as_json:
                session.out(json.dumps(report.members_of(each)))
            else:
                if not found:
                    session.out(report.HEADINGS)
                session.out(report.line_of(each, time.time()))
            found[each.upload_id] = each.upload.subject
            size += each.size
    if not found:
        session.err(report.NO_UPLOADS)
        return True
    total = f"{len(found)} uploads of {size} bytes"
    if not yes:
        session.err(f"{total}: nothing was done; --yes erases them for good")
        return True
    claims = await _erase_claims(session, found)
    removals = Removals(session.store)
    for upload_id, subject in found.items():
        await removals.place(Order(upload_id=upload_id, cause=Cause.OPERATOR, subject=subject))
        session.console.count("ordered")
    log.warning("purge.ordered", uploads=len(found), bytes=size, claims=claims)
    period = session.settings.sweep_interval
    session.err(f"{total}: workers erase them after the next sweep, in at most {period:g} s")
    return True


async def _erase_claims(session: Session, upload_ids: Collection[str]) -> int:
    claims = Claims(session.store, session.settings.idempotency_retention)
    erased = 0
    async for info in session.store.list(keys.CLAIMS):
        erased += await claims.erase(info.key, upload_ids)
    return erased
