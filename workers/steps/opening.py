"""How a step begins: it reads the record, and later log lines have the request's id.

The step's span also joins the upload's trace.
"""

from gateway.errors import ObjectNotFound
from gateway.records.bucket import Entry
from gateway.telemetry import bind_ids
from gateway.tracing import join
from gateway.uploads.record import Upload
from workers.runtime import WorkerServices


async def open_upload(upload_id: str, services: WorkerServices) -> Entry | None:
    """The upload's record; None if there is none. Raises what the ledger raises."""
    entry = await services.backends.ledger.open(upload_id)
    if entry is not None:
        _join(entry.upload)
    return entry


async def open_hosted(upload_id: str, services: WorkerServices) -> Entry | None:
    """The record of a hosted upload, which is never in Redis; None if it is not pending.

    Raises what the ledger raises.
    """
    try:
        entry = await services.backends.ledger.open_kept(upload_id)
    except ObjectNotFound:
        return None
    _join(entry.upload)
    return entry


def open_offered(upload: Upload) -> Entry:
    """The record that came with the task; there may be none in the bucket yet."""
    _join(upload)
    return Entry(upload, None, offered=True)


def _join(upload: Upload) -> None:
    bind_ids(request_id=upload.request_id)
    join(upload.trace, chatkitty__request_id=upload.request_id, chatkitty__upload_id=upload.id)
