"""Ends of uploads, and how late ones are refused."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from gateway.choices import Delivery
from gateway.records.bucket import BucketRecords, Entry
from gateway.records.outbox import Outbox
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from gateway.uploads.lifecycle import advance, begin
from gateway.uploads.record import Cause, File, Removed, State, Target, Terms, Upload

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def records(store: S3Store) -> BucketRecords:
    return BucketRecords(store, Outbox(store, lambda _: ()))


def registered() -> Upload:
    upload = Upload(
        id=new_id(),
        subject="alice",
        request_id="r",
        delivery=Delivery.EXTERNAL,
        target=Target("POST", "/v1/channels/1/messages"),
        history=begin(NOW, State.STORED, NOW),
        files=(File(name="a", original_name="a", declared_type=None, size=1),),
        terms=Terms(),
    )
    return advance(advance(upload, State.INSPECTED, NOW), State.REGISTERED, NOW)


@pytest.mark.parametrize("late", [State.REGISTERED, State.FAILED, State.REJECTED])
async def test_purge_marker_stops_late_records(records: BucketRecords, late: State) -> None:
    upload = registered()
    await records.save(Entry(upload, None), upload)
    await records.erase(await records.open_ended(upload.id))
    history = (*upload.history[:-1], replace(upload.history[-1], state=late))
    kept = await records.save(Entry(upload, None), replace(upload, history=history))
    assert kept.upload.state is State.ABORTED
    assert (await records.open_ended(upload.id)).upload.subject == ""


async def test_late_registration_does_not_report_a_removed_file_as_present(
    records: BucketRecords,
) -> None:
    upload = registered()
    await records.save(Entry(upload, None), upload)
    removed = Removed(NOW, Cause.MESSAGE)
    await records.mark_removed(await records.open_ended(upload.id), removed)
    await records.save(Entry(upload, None), upload)
    assert (await records.open_ended(upload.id)).upload == replace(upload, removed=removed)


async def test_a_message_in_chatkitty_outweighs_a_failure(
    records: BucketRecords, store: S3Store
) -> None:
    upload = registered()
    failed = advance(replace(upload, history=upload.history[:-1]), State.FAILED, NOW)
    await records.save(Entry(failed, None), failed)
    await store.put(keys.pending(upload.id), b"{}")
    assert (await records.save(Entry(upload, None), upload)).upload is upload
    assert (await records.open_ended(upload.id)).upload == upload
    assert not [info async for info in store.list(keys.pending(upload.id))]
