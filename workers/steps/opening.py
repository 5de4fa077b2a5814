"""How a step begins: the record is read, and what is logged from then on bears the request's id."""

from gateway.telemetry import bind_ids
from gateway.uploads.ledger import Entry
from workers.runtime import Services


async def open_upload(upload_id: str, services: Services) -> Entry | None:
    """The upload's record, None where there is none. Raises what the ledger raises."""
    entry = await services.backends.ledger.open(upload_id)
    if entry is not None:
        bind_ids(request_id=entry.upload.request_id)
    return entry
