"""How every step brings an upload to its end."""

from datetime import UTC, datetime

from msgspec.structs import replace

from gateway.telemetry import get_logger
from gateway.uploads.backends import Backends
from gateway.uploads.ledger import Entry
from gateway.uploads.lifecycle import advance
from gateway.uploads.notices import announce
from gateway.uploads.record import Fault, State, Upload

log = get_logger(__name__)


async def end(
    backends: Backends, entry: Entry, upload: Upload, state: State, fault: Fault | None = None
) -> Entry:
    """Write the upload's end, without the authorization that it needs no more, and announce it.

    Raises IllegalTransition, PreconditionFailed, StoreUnavailable.
    """
    ended = advance(upload, state, datetime.now(UTC), fault)
    entry = await backends.ledger.save(entry, replace(ended, authorization=None))
    log.info("upload.ended", state=state, fault=ended.fault)
    await announce(backends.redis, upload.id)
    return entry
