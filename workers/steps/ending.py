"""How each step finishes an upload."""

from datetime import UTC, datetime

from msgspec.structs import replace

from gateway import crash
from gateway.backends import Backends
from gateway.choices import Delivery
from gateway.metrics.catalogue import ENDS, UPLOAD_SECONDS
from gateway.records import offers, sealed
from gateway.records.bucket import Entry
from gateway.records.completion_events import announce_end
from gateway.records.expiry import Expiries
from gateway.records.spare import forget_token
from gateway.telemetry import get_logger
from gateway.uploads.lifecycle import advance
from gateway.uploads.record import (
    CANCELLED,
    DEAD_LETTER,
    FILE_CORRUPT,
    FILE_LOST,
    NOT_REGISTERED,
    Fault,
    State,
    Upload,
)

log = get_logger(__name__)

_RETRIED = frozenset({NOT_REGISTERED, DEAD_LETTER})
"""After these faults the file stays."""

_OURS = _RETRIED | {fault.slug for fault in (FILE_LOST, FILE_CORRUPT, CANCELLED)}
"""Faults that no client can fix; every other fault means that the file was rejected."""


async def end(
    backends: Backends, entry: Entry, upload: Upload, state: State, fault: Fault | None = None
) -> Entry:
    """Write the upload's end, without the caller's token, which is no longer needed; announce it.

    Returns the end that counts, which is a different one if the upload has ended in the meantime.
    Raises IllegalTransition, PreconditionFailed, StoreUnavailable.
    """
    ended = replace(advance(upload, state, datetime.now(UTC), fault), authorization=None)
    if state is State.REGISTERED or (ended.fault is not None and ended.fault.slug in _RETRIED):
        await Expiries(backends.store).place(ended)
        crash.point(crash.Point.END_EXPIRY_MARKED)
    if upload.authorization is not None:
        await forget_token(backends.store, backends.ring, upload)
    told = _end_to_tell(ended, backends) if entry.offered else None
    entry = await backends.ledger.save(entry, ended)
    if entry.upload is ended:
        took = (ended.since - ended.history[0].at).total_seconds()
        ENDS.add(upload.delivery, state)
        UPLOAD_SECONDS.of(upload.delivery, state).observe(took)
        log.info("upload.ended", state=state, fault=ended.fault)
    if upload.delivery is Delivery.EXTERNAL:  # the ledger has announced the end of an audit
        await announce_end(backends.redis, upload, told if entry.upload is ended else None)
    return entry


def _end_to_tell(ended: Upload, backends: Backends) -> str | None:
    """The sealed end for the notice, unless it is too long for one."""
    text = sealed.seal(ended, backends.ring)
    return text if offers.fits(text) else None


async def conclude(backends: Backends, entry: Entry, upload: Upload, fault: Fault) -> Entry:
    """Make the verdict durable, then end a hosted upload by it.

    Whatever happens next, the verdict stands. A worker that has lost its claim of the upload to
    another one cannot write a verdict. Raises what `end` raises.
    """
    entry = await backends.ledger.save(entry, replace(upload, fault=fault))
    crash.point(crash.Point.VERDICT_KEPT)
    return await carry_out(backends, entry)


async def carry_out(backends: Backends, entry: Entry) -> Entry:
    """End a hosted upload by the fault in its record, and remove its file unless it must stay.

    Raises what `end` raises.
    """
    upload = entry.upload
    slug = upload.fault.slug if upload.fault is not None else None
    if slug not in _RETRIED:
        await backends.ledger.forget_file(upload.id)
        upload = replace(upload, authorization=None)  # the last copy of the token is gone
        crash.point(crash.Point.VERDICT_FILE_REMOVED)
    state = State.FAILED if slug in _OURS else State.REJECTED
    return await end(backends, entry, upload, state)
