"""How every step brings an upload to its end."""

from datetime import UTC, datetime

from msgspec.structs import replace

from gateway.metrics.catalogue import ENDS, UPLOAD_SECONDS
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.backends import Backends
from gateway.uploads.ledger import Entry
from gateway.uploads.lifecycle import advance
from gateway.uploads.notices import announce
from gateway.uploads.record import CANCELLED, FILE_CORRUPT, FILE_LOST, Fault, State, Upload

log = get_logger(__name__)

_OURS = frozenset(fault.slug for fault in (FILE_LOST, FILE_CORRUPT, CANCELLED))
"""Faults that no client can mend; all others are why a file was rejected."""


async def end(
    backends: Backends, entry: Entry, upload: Upload, state: State, fault: Fault | None = None
) -> Entry:
    """Write the upload's end, without the authorization that it needs no more, and announce it.

    Raises IllegalTransition, PreconditionFailed, StoreUnavailable.
    """
    ended = advance(upload, state, datetime.now(UTC), fault)
    entry = await backends.ledger.save(entry, replace(ended, authorization=None))
    took = (ended.since - ended.history[0].at).total_seconds()
    ENDS.add(upload.delivery, state)
    UPLOAD_SECONDS.of(upload.delivery, state).observe(took)
    log.info("upload.ended", state=state, fault=ended.fault)
    await announce(backends.redis, upload.id)
    return entry


async def carry_out(backends: Backends, entry: Entry) -> Entry:
    """End a hosted upload by the fault in its record; of the file itself nothing stays.

    Raises what `end` raises.
    """
    fault = entry.upload.fault
    state = State.FAILED if fault is not None and fault.slug in _OURS else State.REJECTED
    await backends.store.delete(keys.incoming(entry.upload.id))
    return await end(backends, entry, entry.upload, state)
