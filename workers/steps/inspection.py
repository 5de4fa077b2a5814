"""`inspect`: finds out what a stored file really is, whether it is complete, and may pass.

It reads a small file whole and compares it with what was received. Of a larger file it reads only
the bytes that show the type; for size and digest it asks the store.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, NamedTuple

import google_crc32c
from msgspec.structs import replace

from gateway import crash
from gateway.choices import Delivery
from gateway.errors import ObjectNotFound, ObjectTooLarge, OfferLapsed, StoreUnavailable
from gateway.metrics.catalogue import PHASE_SECONDS
from gateway.records import offers
from gateway.records.bucket import Entry
from gateway.store.objects import ObjectStore
from gateway.store.verification import Verification, compare
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.excerpt import Piece
from gateway.uploads.lifecycle import Step, advance
from gateway.uploads.policy import Rejected, judge
from gateway.uploads.record import FILE_CORRUPT, FILE_LOST, Fault, File, State, Upload
from workers.runtime import WorkerServices
from workers.sniff import WHOLE_BYTES
from workers.steps.ending import carry_out, conclude
from workers.steps.opening import open_hosted
from workers.steps.registration import register_entry

log = get_logger(__name__)

_TURN_SECONDS: Final = 0.2
"""How long an inspection waits for its turn to register; another task would cost more than that."""

_OFFER_SECONDS: Final = 0.5
"""How long an inspection may take before it accepts the offer: soon the gateway asks other workers.
"""


async def inspect(upload_id: str, services: WorkerServices) -> None:
    """Inspect a stored upload; one that passes, or has passed before, is registered at once."""
    entry = await open_hosted(upload_id, services)
    if entry is not None:
        await inspect_entry(entry, services)


async def inspect_entry(entry: Entry, services: WorkerServices) -> None:
    """Inspect an upload, given its record, and register it."""
    written = entry.upload.state is not State.STORED
    if not written:
        entry = await _inspect(entry, services)
    if entry.upload.state is State.INSPECTED:
        await _register(entry, services, written=written)


async def _register(entry: Entry, services: WorkerServices, *, written: bool) -> None:
    """Register the upload now, unless too many inspections wait for ChatKitty for too long."""
    if await _has_turn(services.turns):
        try:
            await register_entry(entry, services, written=written)
        finally:
            services.turns.release()
        return
    if not written:
        await services.backends.ledger.save(entry, entry.upload)
    services.backends.queue.send(Step.REGISTER, entry.upload.id)


async def _has_turn(turns: asyncio.Semaphore) -> bool:
    """Wait a moment for a turn; returns whether there was one, which is then taken."""
    try:
        async with asyncio.timeout(_TURN_SECONDS):
            await turns.acquire()
    except TimeoutError:
        return False
    return True


async def _inspect(entry: Entry, services: WorkerServices) -> Entry:
    if entry.upload.fault is not None:  # an earlier run reached this verdict, but did not finish
        return await carry_out(services.backends, entry)
    started = time.monotonic()
    try:
        read = await _read_file(entry.upload, services.backends.store)
    except ObjectNotFound:
        if entry.offered:
            raise OfferLapsed("the file is gone") from None
        return await conclude(services.backends, entry, entry.upload, FILE_LOST)
    if entry.offered and read.age > offers.GOOD_FOR:
        raise OfferLapsed("the file was stored some time ago")
    if not read.intact:
        return await conclude(services.backends, entry, entry.upload, FILE_CORRUPT)
    entry, (upload, fault) = await _judge_held(entry, read.pieces, services)
    PHASE_SECONDS.of(Delivery.EXTERNAL, "inspect").observe(time.monotonic() - started)
    if fault is not None:
        return await conclude(services.backends, entry, upload, fault)
    log.info("upload.inspected", content_type=upload.file.content_type)
    crash.point(crash.Point.INSPECT_PASSED)
    return replace(entry, upload=advance(upload, State.INSPECTED, datetime.now(UTC)))


class _Read(NamedTuple):
    """Whether a stored file is what was received, its age, and the bytes that were read."""

    intact: bool
    age: float
    pieces: tuple[Piece, ...] = ()


async def _read_file(upload: Upload, store: ObjectStore) -> _Read:
    """Compare the stored file with what was received.

    Raises ObjectNotFound; also StoreUnavailable, if the answer does not have the object's bytes.
    """
    file = upload.file
    if file.size > WHOLE_BYTES:
        info = await store.head(keys.incoming(upload.id))
        verdict = compare(info, file.size, file.crc32c)
        return _Read(intact=verdict is not Verification.DIFFERENT, age=info.age)
    with suppress(ObjectTooLarge):
        content, _, age = await store.get(keys.incoming(upload.id))
        if _is_received(file, content):
            return _Read(intact=True, age=age, pieces=(Piece(0, content),))
    info = await store.head(keys.incoming(upload.id))
    if compare(info, file.size, file.crc32c) is Verification.SAME:
        raise StoreUnavailable("the file was damaged between the store and the worker")
    return _Read(intact=False, age=info.age)


def _is_received(file: File, content: bytes) -> bool:
    if len(content) != file.size:
        return False
    return file.crc32c is None or google_crc32c.value(content) == file.crc32c


async def _judge_held(
    entry: Entry, known: Sequence[Piece], services: WorkerServices
) -> tuple[Entry, tuple[Upload, Fault | None]]:
    """Judge the file; if that takes long, first keep other workers from judging it too.

    Returns the current entry, and what `_judge` returns. Raises OfferLapsed if another worker was
    faster.
    """
    judging = asyncio.create_task(_judge(entry.upload, known, services))
    try:
        if entry.offered and not (await asyncio.wait([judging], timeout=_OFFER_SECONDS))[0]:
            entry = await services.backends.ledger.save(entry, entry.upload)
        return entry, await judging
    finally:
        judging.cancel()


async def _judge(
    upload: Upload, known: Sequence[Piece], services: WorkerServices
) -> tuple[Upload, Fault | None]:
    """The upload with its sniffed type, and the reason why it must not pass, if there is one."""
    store, key = services.backends.store, keys.incoming(upload.id)

    async def read_range(start: int, length: int) -> bytes:
        return await store.read_range(key, start, length)

    sniffed = await services.sniffer.sniff(upload.file.size, read_range, known)
    upload = upload.with_file(replace(upload.file, content_type=sniffed.content_type))
    verdict = judge(upload.terms, sniffed, upload.file.declared_type)
    return upload, Fault(verdict.slug, verdict.detail) if isinstance(verdict, Rejected) else None
