"""`uploads list` and `uploads show`, which change nothing."""

import json
import time
from contextlib import aclosing

from gateway.admin import report
from gateway.admin.bucket import NotDone, Session, checked_id, file_of, find
from gateway.admin.search import Query, search


async def list_uploads(session: Session, query: Query, limit: int, *, as_json: bool) -> bool:
    """Print at most `limit` uploads, each as soon as it is found."""
    shown = 0
    async with aclosing(search(session.store, query, session.console.count)) as uploads:
        async for found in uploads:
            if as_json:
                session.out(json.dumps(report.members_of(found)))
            else:
                if shown == 0:
                    session.out(report.HEADINGS)
                session.out(report.line_of(found, time.time()))
            shown += 1
            if shown == limit:
                session.err(f"there may be more than these {limit}: see --limit")
                break
    if shown == 0 and not as_json:
        every = query.everything or query.states
        session.err(report.NO_UPLOADS if every else report.NONE_PENDING)
    return True


async def show(session: Session, upload_id: str, *, as_json: bool) -> bool:
    """Print everything about one upload."""
    try:
        found = await find(session.store, checked_id(upload_id))
    except NotDone as error:
        session.err(f"error: {upload_id}: {error}")
        return False
    members = report.details_of(found, await file_of(session.store, upload_id), time.time())
    lines = [json.dumps(members)] if as_json else report.lines_of(members)
    for line in lines:
        session.out(line)
    return True
