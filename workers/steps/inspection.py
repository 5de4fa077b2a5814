"""`inspect`: finds out what a stored file really is, whether it is complete and may pass.

A small file is read whole and compared with what was received. Of a larger one, only the bytes that
show the type are read; size and digest are the store's own.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import google_crc32c
from msgspec.structs import replace

from gateway import crash
from gateway.choices import Delivery
from gateway.errors import ObjectNotFound, ObjectTooLarge, StoreUnavailable
from gateway.metrics.catalogue import PHASE_SECONDS
from gateway.records.bucket import Entry
from gateway.store.objects import ObjectStore
from gateway.store.verification import Verification, verify
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.excerpt import Piece
from gateway.uploads.lifecycle import Step, advance
from gateway.uploads.policy import Rejected, judge
from gateway.uploads.record import FILE_CORRUPT, FILE_LOST, Fault, File, State, Upload
from workers.runtime import WorkerServices
from workers.sniff import WHOLE_BYTES
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
        known = await _read_intact(entry.upload, services.backends.store)
    except ObjectNotFound:
        return await conclude(services.backends, entry, entry.upload, FILE_LOST)
    if known is None:
        return await conclude(services.backends, entry, entry.upload, FILE_CORRUPT)
    upload, fault = await _judge(entry.upload, known, services)
    PHASE_SECONDS.of(Delivery.EXTERNAL, "inspect").observe(time.monotonic() - started)
    if fault is not None:
        return await conclude(services.backends, entry, upload, fault)
    log.info("upload.inspected", content_type=upload.file.content_type)
    crash.point(crash.Point.INSPECT_PASSED)
    return replace(entry, upload=advance(upload, State.INSPECTED, datetime.now(UTC)))


async def _read_intact(upload: Upload, store: ObjectStore) -> Sequence[Piece] | None:
    """What was read of the stored file to compare it with what was received; None if it differs.

    Raises ObjectNotFound, and StoreUnavailable also if the store's answer is not its object.
    """
    if upload.file.size > WHOLE_BYTES:
        intact = await _ask_store(upload, store) is not Verification.DIFFERENT
        return () if intact else None
    with suppress(ObjectTooLarge):
        content = (await store.get(keys.incoming(upload.id))).content
        if _is_received(upload.file, content):
            return (Piece(0, content),)
    if await _ask_store(upload, store) is Verification.SAME:
        raise StoreUnavailable("the file was damaged between the store and the worker")
    return None


def _is_received(file: File, content: bytes) -> bool:
    if len(content) != file.size:
        return False
    return file.crc32c is None or google_crc32c.value(content) == file.crc32c


async def _ask_store(upload: Upload, store: ObjectStore) -> Verification:
    """What the store's own size and digest say of the file."""
    return await verify(store, keys.incoming(upload.id), upload.file.size, upload.file.crc32c)


async def _judge(
    upload: Upload, known: Sequence[Piece], services: WorkerServices
) -> tuple[Upload, Fault | None]:
    """The upload with its sniffed type, and why it may not pass, if it may not."""
    store, key = services.backends.store, keys.incoming(upload.id)

    async def read_range(start: int, length: int) -> bytes:
        return await store.read_range(key, start, length)

    sniffed = await services.sniffer.sniff(upload.file.size, read_range, known)
    upload = upload.with_file(replace(upload.file, content_type=sniffed.content_type))
    verdict = judge(upload.terms, sniffed, upload.file.declared_type)
    return upload, Fault(verdict.slug, verdict.detail) if isinstance(verdict, Rejected) else None
