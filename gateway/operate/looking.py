"""`uploads list` and `uploads show`: nothing is changed."""

import json
import time
from contextlib import aclosing

from gateway.operate import report
from gateway.operate.bucket import Desk, Refused, checked_id, file_of, find
from gateway.operate.search import Query, search


async def list_uploads(desk: Desk, query: Query, limit: int, *, as_json: bool) -> bool:
    """Say what is found, each as soon as it is, and at most `limit` of it."""
    shown = 0
    async with aclosing(search(desk.store, query)) as uploads:
        async for found in uploads:
            if as_json:
                desk.say(json.dumps(report.members_of(found)))
            else:
                if shown == 0:
                    desk.say(report.HEADINGS)
                desk.say(report.line_of(found, time.time()))
            shown += 1
            if shown == limit:
                desk.complain(f"there may be more than these {limit}: see --limit")
                break
    if shown == 0 and not as_json:
        every = query.everything or query.states
        desk.complain(report.NO_UPLOADS if every else report.NONE_PENDING)
    return True


async def show(desk: Desk, upload_id: str, *, as_json: bool) -> bool:
    """Say all of one upload."""
    try:
        found = await find(desk.store, checked_id(upload_id))
    except Refused as error:
        desk.complain(f"error: {upload_id}: {error}")
        return False
    members = report.details_of(found, await file_of(desk.store, upload_id))
    lines = [json.dumps(members)] if as_json else report.lines_of(members)
    for line in lines:
        desk.say(line)
    return True
