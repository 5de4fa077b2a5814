import asyncio
import itertools
import random
import tracemalloc
from collections.abc import Iterator

import google_crc32c
import pytest

from gateway.errors import (
    ChecksumMismatch,
    ObjectNotFound,
    StoreUnavailable,
    UploadSuperseded,
)
from gateway.store.objects import LONGEST_NOTE
from gateway.store.parts import FIRST_PART
from gateway.store.s3 import S3Store
from gateway.store.verification import Verification, verify
from gateway.store.writer import Note, ObjectWriter, StoredObject
from tests.servers.store_proxy import Fault, FaultProxy

# One client for all tests: to open one takes as long as a test.
pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

MIB = 1024**2
CHUNK = 64 * 1024

CREATE = rb"^POST \S+\?uploads"
PART = rb"^PUT \S+partNumber="
COMPLETE = rb"^POST \S+\?uploadId="
ABORT = rb"^DELETE \S+\?uploadId="


def some_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def chunks(data: bytes, size: int = CHUNK) -> Iterator[memoryview]:
    view = memoryview(data)
    for start in range(0, len(data), size):
        yield view[start : start + size]


async def write(writer: ObjectWriter, data: bytes) -> None:
    for view in chunks(data):
        await writer.write(view)


async def write_on(writer: ObjectWriter) -> None:
    async with asyncio.timeout(20):
        while True:
            await writer.write(b"x")
            await asyncio.sleep(0.01)


async def unfinished(store: S3Store, prefix: str) -> list[str]:
    return [upload.key async for upload in store.list_multipart_uploads(prefix)]


async def nothing_is_left(store: S3Store, prefix: str) -> bool:
    objects = [info async for info in store.list(prefix)]
    return objects == [] and await unfinished(store, prefix) == []


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (0, 1),
        (1, 1),
        (FIRST_PART - 1, 1),
        (FIRST_PART, 1),
        (FIRST_PART + 1, 2),
        (2 * FIRST_PART, 2),
        (2 * FIRST_PART + 5, 3),
    ],
)
async def test_an_object_is_stored_whole_and_in_as_many_parts_as_it_needs(
    store: S3Store, prefix: str, size: int, parts: int
) -> None:
    data = some_bytes(size)
    writer = ObjectWriter(store, prefix + "a")
    await write(writer, data)
    stored = await writer.finish()
    assert stored == StoredObject(size, google_crc32c.value(data), parts, stored.etag, stored.at)
    assert (stored.at is None) is (parts > 1)
    assert await verify(store, prefix + "a", size, stored.crc32c) is Verification.SAME
    assert await store.read_range(prefix + "a", 0, size) == data
    assert (await store.head(prefix + "a")).etag == stored.etag
    assert await unfinished(store, prefix) == []


async def test_a_file_that_fits_in_the_first_part_is_one_put(
    shaky_store: S3Store, proxy: FaultProxy, prefix: str
) -> None:
    multipart = proxy.fail(CREATE, Fault.SLOW_DOWN)
    writer = ObjectWriter(shaky_store, prefix + "a")
    await write(writer, bytes(FIRST_PART))
    await writer.finish()
    assert not multipart.met.is_set()


async def test_how_the_bytes_are_cut_does_not_change_the_object(
    store: S3Store, prefix: str
) -> None:
    data = some_bytes(FIRST_PART + 3 * MIB)
    sizes = itertools.cycle([1, 0, 7 * MIB, 3, 65_537, 999])
    writer = ObjectWriter(store, prefix + "a")
    start = 0
    while start < len(data):
        size = next(sizes)
        await writer.write(data[start : start + size])
        start += size
    stored = await writer.finish()
    assert (stored.size, stored.crc32c) == (len(data), google_crc32c.value(data))
    assert await store.read_range(prefix + "a", 0, len(data)) == data


async def test_one_write_may_span_several_parts(store: S3Store, prefix: str) -> None:
    data = some_bytes(2 * FIRST_PART + 1)
    writer = ObjectWriter(store, prefix + "a")
    await writer.write(data)
    stored = await writer.finish()
    assert (stored.parts, stored.crc32c) == (3, google_crc32c.value(data))


async def test_a_buffer_may_be_reused_once_it_was_written(store: S3Store, prefix: str) -> None:
    buffer = bytearray(b"first")
    writer = ObjectWriter(store, prefix + "a")
    await writer.write(memoryview(buffer))
    buffer[:] = b"other"
    await writer.finish()
    assert (await store.get(prefix + "a"))[0] == b"first"


class Counted:
    """Memory without a limit: how much is held, and was at most."""

    held = largest = 0

    async def take(self, size: int) -> None:
        self.held += size
        self.largest = max(self.largest, self.held)

    def part_full(self) -> None:
        pass

    def give_back(self, size: int) -> None:
        self.held -= size


async def test_memory_does_not_grow_beyond_the_parts_held(store: S3Store, prefix: str) -> None:
    size = 200 * MIB
    chunk = some_bytes(CHUNK)
    room = Counted()
    writer = ObjectWriter(store, prefix + "a", room)
    await writer.write(chunk)  # the client's own machinery is not what is measured
    tracemalloc.start()
    try:
        for _ in range(size // CHUNK - 1):
            await writer.write(chunk)
        stored = await writer.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stored.size == size
    assert 2 * FIRST_PART < room.largest <= 3 * FIRST_PART
    assert peak < room.largest + FIRST_PART
    assert room.held == 0


async def test_a_slow_store_slows_the_writer(
    shaky_store: S3Store, proxy: FaultProxy, prefix: str
) -> None:
    proxy.fail(PART, Fault.HOLD)
    writer = ObjectWriter(shaky_store, prefix + "a")
    await write(writer, bytes(3 * FIRST_PART))  # two in flight, one full
    blocked = asyncio.create_task(writer.write(b"x"))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not blocked.done()
    blocked.cancel()
    await asyncio.gather(blocked, return_exceptions=True)
    await writer.abort()


async def test_an_abort_leaves_nothing_and_may_be_repeated(store: S3Store, prefix: str) -> None:
    writer = ObjectWriter(store, prefix + "a")
    await write(writer, bytes(2 * FIRST_PART + 1))
    await writer.abort()
    await writer.abort()
    assert await nothing_is_left(store, prefix)


async def test_an_abort_after_finish_deletes_the_object(store: S3Store, prefix: str) -> None:
    for size in (1, FIRST_PART + 1):
        writer = ObjectWriter(store, prefix + "a")
        await write(writer, bytes(size))
        await writer.finish()
        await writer.abort()
        assert await nothing_is_left(store, prefix)


async def test_an_abort_before_anything_was_sent_leaves_an_older_object_alone(
    store: S3Store, prefix: str
) -> None:
    await store.put(prefix + "a", b"older")
    writer = ObjectWriter(store, prefix + "a")
    await writer.write(b"newer")
    await writer.abort()
    assert (await store.get(prefix + "a"))[0] == b"older"


@pytest.mark.parametrize("stage", [CREATE, PART, COMPLETE])
async def test_a_cancelled_upload_leaves_nothing(
    shaky_store: S3Store, proxy: FaultProxy, prefix: str, stage: bytes
) -> None:
    # What was created is found by `abort`, so that stage answers and is not held.
    held = proxy.fail(stage, Fault.SLOW_DOWN if stage == CREATE else Fault.HOLD, times=1)
    writer = ObjectWriter(shaky_store, prefix + "a")

    async def upload() -> None:
        await write(writer, bytes(2 * FIRST_PART + 1))
        await writer.finish()

    uploading = asyncio.create_task(upload())
    await held.met.wait()
    uploading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await uploading
    await writer.abort()
    assert await nothing_is_left(shaky_store, prefix)


async def test_a_part_that_fails_in_flight_fails_a_later_write(
    shaky_store: S3Store, proxy: FaultProxy, prefix: str
) -> None:
    proxy.fail(PART, Fault.REFUSE)
    writer = ObjectWriter(shaky_store, prefix + "a")
    await write(writer, bytes(FIRST_PART + 1))
    with pytest.raises(StoreUnavailable):
        await write_on(writer)
    with pytest.raises(StoreUnavailable):
        await writer.write(b"x")
    with pytest.raises(StoreUnavailable):
        await writer.finish()
    await writer.abort()
    assert await nothing_is_left(shaky_store, prefix)


async def test_a_store_that_stumbles_at_each_step_still_gets_the_object(
    shaky_store: S3Store, proxy: FaultProxy, prefix: str
) -> None:
    stumbles = [proxy.fail(step, Fault.SLOW_DOWN, times=1) for step in (CREATE, PART, COMPLETE)]
    data = some_bytes(2 * FIRST_PART + 1)
    writer = ObjectWriter(shaky_store, prefix + "a")
    await write(writer, data)
    stored = await writer.finish()
    assert all(stumble.met.is_set() for stumble in stumbles)
    assert await verify(shaky_store, prefix + "a", len(data), stored.crc32c) is Verification.SAME


async def test_objects_whose_last_answers_were_all_lost_are_found(
    shaky_store: S3Store, proxy: FaultProxy, prefix: str
) -> None:
    lost = [proxy.fail(step, Fault.CUT_ANSWER) for step in (rb"^PUT \S+/one-put ", COMPLETE)]

    async def store_all(key: str, data: bytes) -> None:
        writer = ObjectWriter(shaky_store, key)
        await write(writer, data)
        stored = await writer.finish()
        assert (stored.size, stored.crc32c) == (len(data), google_crc32c.value(data))
        assert (await shaky_store.head(key)).etag == stored.etag

    async with asyncio.TaskGroup() as both:  # at once: each repeats its request until it gives up
        both.create_task(store_all(prefix + "one-put", some_bytes(1_000)))
        both.create_task(store_all(prefix + "parts", some_bytes(FIRST_PART + 1)))
    assert all(rule.met.is_set() for rule in lost)


async def test_an_older_object_is_not_taken_for_the_one_that_failed(
    store: S3Store, shaky_store: S3Store, proxy: FaultProxy, prefix: str
) -> None:
    await store.put(prefix + "a", b"older", crc32c=google_crc32c.value(b"older"))
    proxy.fail(rb"^PUT \S+/a ", Fault.REFUSE)
    writer = ObjectWriter(shaky_store, prefix + "a")
    await writer.write(b"newer")
    with pytest.raises(StoreUnavailable):
        await writer.finish()
    await writer.abort()


async def test_an_abort_that_the_store_refuses_is_not_an_error(
    shaky_store: S3Store, proxy: FaultProxy, store: S3Store, prefix: str
) -> None:
    proxy.fail(ABORT, Fault.REFUSE)
    writer = ObjectWriter(shaky_store, prefix + "a")
    await write(writer, bytes(FIRST_PART + 1))
    await writer.abort()
    (left,) = [upload async for upload in store.list_multipart_uploads(prefix)]
    await store.abort_multipart(left.key, left.upload_id)
    with pytest.raises(ObjectNotFound):
        await store.head(prefix + "a")


async def test_upload_aborted_by_a_sweeper_is_reported_as_abandoned(
    store: S3Store, prefix: str
) -> None:
    writer = ObjectWriter(store, prefix + "a")
    await write(writer, bytes(FIRST_PART + 1))
    while not (begun := [each async for each in store.list_multipart_uploads(prefix)]):
        await asyncio.sleep(0.02)
    await store.abort_multipart(begun[0].key, begun[0].upload_id)
    with pytest.raises(UploadSuperseded):
        await writer.finish()
    await writer.abort()
    assert await nothing_is_left(store, prefix)


async def test_bytes_that_change_on_the_way_are_refused(store: S3Store, prefix: str) -> None:
    writer = ObjectWriter(store, prefix + "a")
    await writer.write(b"sent")
    writer._part.body.getbuffer()[:] = b"sunk"
    with pytest.raises(ChecksumMismatch):
        await writer.finish()
    await writer.abort()
    assert await nothing_is_left(store, prefix)


@pytest.mark.parametrize(
    ("size", "text", "beside"),
    [
        (9, "short", False),
        (9, "x" * LONGEST_NOTE, False),
        (9, "x" * (LONGEST_NOTE + 1), True),
        (FIRST_PART + 1, "short", True),
    ],
)
async def test_a_note_is_kept_in_the_metadata_or_next_to_the_object(
    store: S3Store, prefix: str, size: int, text: str, *, beside: bool
) -> None:
    writer = ObjectWriter(store, prefix + "a")
    await writer.write(some_bytes(size))
    assert writer.crc32c == google_crc32c.value(some_bytes(size))
    await writer.finish(Note(prefix + "note", text))
    assert (await store.head(prefix + "a")).note == (None if beside else text)
    if beside:
        assert (await store.get(prefix + "note")).content == text.encode()
    await writer.abort()
    assert await nothing_is_left(store, prefix)


async def test_an_object_is_stored_even_if_its_note_is_not(
    shaky_store: S3Store, proxy: FaultProxy, prefix: str
) -> None:
    refused = proxy.fail(rb"^PUT \S+note", Fault.REFUSE)
    writer = ObjectWriter(shaky_store, prefix + "a")
    await writer.write(b"data")
    await writer.finish(Note(prefix + "note", "x" * (LONGEST_NOTE + 1)))
    assert refused.met.is_set()
    assert (await shaky_store.get(prefix + "a")).content == b"data"
