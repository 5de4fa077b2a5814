"""What a bucket has of uploads, whatever else lies in it."""

from gateway.records.listing import merged
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from gateway.uploads.ids import new_id


async def test_copies_of_a_prefix_inside_itself_are_not_uploads(store: S3Store) -> None:
    upload_id = new_id()
    ours = [keys.incoming(upload_id), keys.record(upload_id)]
    foreign = [keys.RECORDS, f"{keys.RECORDS}old/{upload_id}", f"{keys.INCOMING}a/b/{upload_id}"]
    for key in [*ours, *foreign]:
        await store.put(key, b"x")
    found = [
        [info.key for info in place.values()]
        async for place in merged(store, (keys.INCOMING, keys.RECORDS), None)
        if any(upload_id in info.key or info.key == keys.RECORDS for info in place.values())
    ]
    for key in [*ours, *foreign]:
        await store.delete(key)
    assert found == [ours]
