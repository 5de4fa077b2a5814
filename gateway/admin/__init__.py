"""The `uploads` and `webhooks` commands of an operator, which need only the bucket.

`queries` shows uploads, `commands` changes them, `purging` removes all uploads of a subject, and
`recovering` resumes or removes files without a record; `messages` is about those to webhooks. Each
gets a `Session` and prints through it.

A relayed upload that waits for its audit is usually in Redis, so it cannot be seen from here.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from gateway.admin.bucket import Session
from gateway.admin.commands import cancel, retry, retry_all
from gateway.admin.messages import list_messages, retry_messages, try_endpoints
from gateway.admin.purging import purge
from gateway.admin.queries import list_uploads, show
from gateway.admin.recovering import (
    discard,
    discard_all,
    list_orphans,
    recover,
    recover_all,
)
from gateway.admin.search import Query
from gateway.backends import open_store
from gateway.errors import GatewayError
from gateway.records.bucket import BucketRecords
from gateway.records.outbox import Outbox
from gateway.settings import Settings
from gateway.terminal import Console
from gateway.webhooks.endpoints import names_of_wanting

__all__ = [
    "Query",
    "cancel",
    "discard",
    "discard_all",
    "list_messages",
    "list_orphans",
    "list_uploads",
    "purge",
    "recover",
    "recover_all",
    "retry",
    "retry_all",
    "retry_messages",
    "run",
    "show",
    "try_endpoints",
]


async def run(
    settings: Settings, work: Callable[[Session], Awaitable[bool]], console: Console
) -> int:
    """Do the work on the bucket; returns the exit status, 0 if all of it was done."""
    try:
        async with open_store(settings) as store:
            outbox = Outbox(store, partial(names_of_wanting, settings.endpoints))
            session = Session(settings, store, BucketRecords(store, outbox), outbox, console)
            return 0 if await work(session) else 1
    except GatewayError as error:
        console.err(f"error: {error}")
        return 1
    finally:
        console.status("")
