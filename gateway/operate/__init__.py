"""What operators see of uploads and do with them: by the bucket alone, whatever else is away.

A relayed upload that awaits its audit is in Redis as a rule, and therefore not seen from here.
"""

from collections.abc import Awaitable, Callable

from gateway.backends import open_store
from gateway.errors import GatewayError
from gateway.operate.bucket import Desk, Say
from gateway.operate.changing import cancel, retry, retry_all
from gateway.operate.looking import list_uploads, show
from gateway.operate.purging import purge
from gateway.operate.recovering import (
    discard,
    discard_all,
    list_orphans,
    recover,
    recover_all,
)
from gateway.operate.search import Query
from gateway.records.bucket import BucketRecords
from gateway.settings import Settings

__all__ = [
    "Query",
    "cancel",
    "discard",
    "discard_all",
    "list_orphans",
    "list_uploads",
    "purge",
    "recover",
    "recover_all",
    "retry",
    "retry_all",
    "run",
    "show",
]


async def run(
    settings: Settings, work: Callable[[Desk], Awaitable[bool]], say: Say, complain: Say
) -> int:
    """Do the work on the bucket; returns the exit status, 0 where all of it was done."""
    try:
        async with open_store(settings) as store:
            desk = Desk(settings, store, BucketRecords(store), say, complain)
            return 0 if await work(desk) else 1
    except GatewayError as error:
        complain(f"error: {error}")
        return 1
