"""How a step begins: the record is read, and later log lines have the request's id.

The step's span joins the upload's trace, too.
"""

from gateway.records.bucket import Entry
from gateway.telemetry import bind_ids
from gateway.tracing import join
from workers.runtime import WorkerServices


async def open_upload(upload_id: str, services: WorkerServices) -> Entry | None:
    """The upload's record, None if there is none. Raises what the ledger raises."""
    entry = await services.backends.ledger.open(upload_id)
    if entry is not None:
        upload = entry.upload
        bind_ids(request_id=upload.request_id)
        join(upload.trace, chatkitty__request_id=upload.request_id, chatkitty__upload_id=upload_id)
    return entry
