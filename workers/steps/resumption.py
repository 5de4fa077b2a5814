"""`resume`: runs the next step of an upload, decided only by its record."""

from msgspec.structs import replace
from redis.exceptions import RedisError

from gateway.records.bucket import Entry
from gateway.records.heartbeats import is_gone
from gateway.telemetry import get_logger
from gateway.uploads.lifecycle import supersedes
from gateway.uploads.record import Fault, State
from workers.runtime import WorkerServices
from workers.steps.audit import audit_entry
from workers.steps.ending import end
from workers.steps.inspection import inspect_entry
from workers.steps.opening import open_upload
from workers.steps.sessions import end_session

log = get_logger(__name__)


async def resume(upload_id: str, services: WorkerServices) -> None:
    """Resume an upload that was left behind, or complete its unfinished end."""
    ledger = services.backends.ledger
    entry = await open_upload(upload_id, services)
    if entry is None:
        async with services.sessions:
            await end_session(services.backends, upload_id)
        return
    state = entry.upload.state
    if state is State.ABORTED:
        await ledger.bury(entry.upload)
        return
    ended = await ledger.ended(upload_id)
    if ended is not None and not supersedes(entry.upload, ended):
        await ledger.forget_pending(upload_id)
        return
    if state is State.RECEIVING:
        await _settle(entry, services)
    elif state is State.RELAYED:
        await audit_entry(entry, services)
    else:
        await inspect_entry(entry, services)


async def _settle(entry: Entry, services: WorkerServices) -> None:
    """End a relay after its process died: it is unknown what ChatKitty did with it.

    The pending record itself first says so. A process that was only suspended finds that there, and
    then does not write its answer to a record that is about to be removed.
    """
    backends = services.backends
    if entry.upload.fault is None:
        try:
            gone = await is_gone(backends.redis, backends.store, entry.upload.id)
        except (RedisError, OSError) as error:
            log.warning("resume.redis_unavailable", error=repr(error))
            return
        if not gone:
            return
        fault = Fault("outcome-unknown", "the gateway died before ChatKitty's answer was saved")
        entry = await backends.ledger.save(entry, replace(entry.upload, fault=fault))
    await end(backends, entry, entry.upload, State.FAILED)
