"""`inspect`: finds out what a stored file really is, whether it is complete and may pass.

Only the bytes that show the type are read; size and digest are the store's own.
"""

import time
from datetime import UTC, datetime

from msgspec.structs import replace

from gateway import crash
from gateway.choices import Delivery
from gateway.errors import ObjectNotFound
from gateway.metrics.catalogue import PHASE_SECONDS
from gateway.records.bucket import Entry
from gateway.store.verification import Verification, verify
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step, advance
from gateway.uploads.policy import Rejected, judge
from gateway.uploads.record import FILE_CORRUPT, FILE_LOST, Fault, State, Upload
from workers.runtime import WorkerServices
from workers.steps.ending import carry_out, conclude
from workers.steps.opening import open_upload
from workers.steps.registration import register_entry

log = get_logger(__name__)


async def inspect(upload_id: str, services: WorkerServices) -> None:
    """Inspect a stored upload; one that passes, or has passed before, is registered at once."""
    entry = await open_upload(upload_id, services)
    if entry is not None:
        await inspect_entry(entry, services)


async def inspect_entry(entry: Entry, services: WorkerServices) -> None:
    """Inspect an upload that was read, and register it."""
    written = entry.upload.state is not State.STORED
    if not written:
        entry = await _inspect(entry, services)
    if entry.upload.state is State.INSPECTED:
        await _register(entry, services, written=written)


async def _register(entry: Entry, services: WorkerServices, *, written: bool) -> None:
    """Register it at once, unless too many inspections already wait for ChatKitty."""
    if not services.turns.locked():
        async with services.turns:
            await register_entry(entry, services, written=written)
        return
    if not written:
        await services.backends.ledger.save(entry, entry.upload)
    services.backends.queue.send(Step.REGISTER, entry.upload.id)


async def _inspect(entry: Entry, services: WorkerServices) -> Entry:
    if entry.upload.fault is not None:  # an earlier run reached its verdict, but did not finish
        return await carry_out(services.backends, entry)
    started = time.monotonic()
    try:
        intact = await _is_intact(entry.upload, services)
    except ObjectNotFound:
        return await conclude(services.backends, entry, entry.upload, FILE_LOST)
    if not intact:
        return await conclude(services.backends, entry, entry.upload, FILE_CORRUPT)
    upload, fault = await _judge(entry.upload, services)
    PHASE_SECONDS.of(Delivery.EXTERNAL, "inspect").observe(time.monotonic() - started)
    if fault is not None:
        return await conclude(services.backends, entry, upload, fault)
    log.info("upload.inspected", content_type=upload.file.content_type)
    crash.point(crash.Point.INSPECT_PASSED)
    return replace(entry, upload=advance(upload, State.INSPECTED, datetime.now(UTC)))


async def _is_intact(upload: Upload, services: WorkerServices) -> bool:
    """Whether the object is what was received, by the store's own size and digest of it."""
    file, key = upload.file, keys.incoming(upload.id)
    if file.crc32c is None:
        return (await services.backends.store.head(key)).size == file.size
    verdict = await verify(services.backends.store, key, file.size, file.crc32c)
    return verdict is not Verification.DIFFERENT


async def _judge(upload: Upload, services: WorkerServices) -> tuple[Upload, Fault | None]:
    """The upload with its sniffed type, and why it may not pass, if it may not."""
    store, key = services.backends.store, keys.incoming(upload.id)

    async def read_range(start: int, length: int) -> bytes:
        return await store.read_range(key, start, length)

    sniffed = await services.sniffer.sniff(upload.file.size, read_range)
    upload = upload.with_file(replace(upload.file, content_type=sniffed.content_type))
    verdict = judge(upload.terms, sniffed, upload.file.declared_type)
    return upload, Fault(verdict.slug, verdict.detail) if isinstance(verdict, Rejected) else None
