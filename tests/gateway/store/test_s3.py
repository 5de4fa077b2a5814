import asyncio
import uuid
from contextlib import aclosing
from io import BytesIO
from typing import Any

import aiohttp
import google_crc32c
import pytest

from gateway.choices import S3ClientName
from gateway.errors import (
    ChecksumMismatch,
    ObjectNotFound,
    ObjectTooLarge,
    PreconditionFailed,
    StoreUnavailable,
)
from gateway.stack.ports import free_ports
from gateway.stack.seaweedfs import SeaweedFS
from gateway.store.objects import Multipart, UnfinishedMultipart
from gateway.store.s3 import DOCUMENT_LIMIT, S3Store
from gateway.store.verification import Verification, verify
from tests.servers.store_proxy import Fault, FaultProxy

pytestmark = [
    # One client of a kind for all tests: to open one takes as long as a test.
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("client_name"),
    pytest.mark.parametrize("client_name", list(S3ClientName), indirect=True, scope="session"),
]

MIB = 1024**2
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


async def test_a_document_comes_back_as_it_was_put(store: S3Store, prefix: str) -> None:
    etag = (await store.put(prefix + "a", b"{}", crc32c=google_crc32c.value(b"{}"))).etag
    assert (await store.get(prefix + "a"))[:2] == (b"{}", etag)


async def test_odd_characters_in_a_key_are_kept(store: S3Store, prefix: str) -> None:
    key = prefix + "ü %2F+&?#/ '\"=.txt"
    await store.put(key, b"odd")
    assert (await store.get(key))[0] == b"odd"
    assert [info.key async for info in store.list(prefix)] == [key]


async def test_a_missing_key_is_not_found_by_any_reader(store: S3Store, prefix: str) -> None:
    key = prefix + "missing"
    for reading in (store.get(key), store.head(key), store.read_range(key, 0, 1)):
        with pytest.raises(ObjectNotFound):
            await reading


async def test_deleting_twice_is_no_error(store: S3Store, prefix: str) -> None:
    await store.put(prefix + "a", b"x")
    await store.delete(prefix + "a")
    await store.delete(prefix + "a")
    with pytest.raises(ObjectNotFound):
        await store.head(prefix + "a")


async def test_head_returns_size_time_and_the_stores_checksum(store: S3Store, prefix: str) -> None:
    etag = (await store.put(prefix + "a", PNG, crc32c=google_crc32c.value(PNG))).etag
    info = await store.head(prefix + "a")
    assert (info.key, info.size, info.etag) == (prefix + "a", len(PNG), etag)
    assert info.crc32c == google_crc32c.value(PNG)
    assert info.age < 60


async def test_bytes_with_a_wrong_checksum_are_refused(store: S3Store, prefix: str) -> None:
    with pytest.raises(ChecksumMismatch):
        await store.put(prefix + "a", PNG, crc32c=google_crc32c.value(PNG) ^ 1)
    with pytest.raises(ObjectNotFound):
        await store.head(prefix + "a")


async def test_a_document_over_the_limit_is_not_read(store: S3Store, prefix: str) -> None:
    await store.put(prefix + "fits", bytes(DOCUMENT_LIMIT))
    await store.put(prefix + "large", bytes(DOCUMENT_LIMIT + 1))
    assert len((await store.get(prefix + "fits"))[0]) == DOCUMENT_LIMIT
    with pytest.raises(ObjectTooLarge):
        await store.get(prefix + "large")


@pytest.mark.parametrize(
    ("start", "length"),
    [(0, 8), (8, 16), (len(PNG) - 1, 1), (len(PNG) - 1, 99), (len(PNG), 1), (5000, 10), (3, 0)],
)
async def test_a_range_ends_with_the_file(
    store: S3Store, prefix: str, start: int, length: int
) -> None:
    await store.put(prefix + "a", PNG)
    assert await store.read_range(prefix + "a", start, length) == PNG[start : start + length]


async def test_the_head_of_an_empty_object_is_empty(store: S3Store, prefix: str) -> None:
    await store.put(prefix + "empty", b"")
    assert await store.read_range(prefix + "empty", 0, 4096) == b""


async def test_a_stream_can_be_left_early_and_the_store_asked_again(
    store: S3Store, prefix: str
) -> None:
    body = bytes(range(256)) * 4096 * 3
    await store.put(prefix + "a", body)
    async with aclosing(store.stream(prefix + "a", 1, len(body) - 1)) as stream:
        first = await anext(stream)
    assert body[1:].startswith(first)
    streamed = [chunk async for chunk in store.stream(prefix + "a", 1, len(body) - 1)]
    assert b"".join(streamed) == body[1:-1]
    assert len(streamed) > 1


async def test_of_eight_racing_writers_of_a_new_key_one_wins(store: S3Store, prefix: str) -> None:
    async def write(name: bytes) -> bytes | None:
        try:
            await store.put(prefix + "claim", name, if_none_match=True)
        except PreconditionFailed:
            return None
        return name

    results = await asyncio.gather(*(write(b"%d" % number) for number in range(8)))
    winners = [name for name in results if name is not None]
    assert winners == [(await store.get(prefix + "claim"))[0]]


async def test_of_racing_writers_of_one_version_one_wins(store: S3Store, prefix: str) -> None:
    version = (await store.put(prefix + "record", b"first")).etag

    async def write(name: bytes) -> bytes | None:
        try:
            await store.put(prefix + "record", name, if_match=version)
        except PreconditionFailed:
            return None
        return name

    results = await asyncio.gather(*(write(b"%d" % number) for number in range(3)))
    winners = [name for name in results if name is not None]
    assert winners == [(await store.get(prefix + "record"))[0]]


async def test_a_version_of_an_object_that_is_gone_is_another_one(
    store: S3Store, prefix: str
) -> None:
    version = (await store.put(prefix + "record", b"first")).etag
    await store.delete(prefix + "record")
    with pytest.raises(PreconditionFailed):
        await store.put(prefix + "record", b"second", if_match=version)


async def test_a_listing_is_in_key_order_over_all_of_its_pages(store: S3Store, prefix: str) -> None:
    keys = [f"{prefix}{number:05}" for number in range(1_005)]
    room = asyncio.Semaphore(16)

    async def put(key: str) -> None:
        async with room:
            await store.put(key, b"")

    await asyncio.gather(*(put(key) for key in reversed(keys)))
    assert [info.key async for info in store.list(prefix)] == keys
    after = store.list(prefix, start_after=keys[999])
    assert [info.key async for info in after] == keys[1_000:]


async def test_a_listing_keeps_to_its_prefix(store: S3Store, prefix: str) -> None:
    await store.put(prefix + "in/a", b"123")
    await store.put(prefix + "in-between", b"")
    await store.put(prefix + "other/a", b"")
    listed = [info async for info in store.list(prefix + "in/")]
    assert [(info.key, info.size) for info in listed] == [(prefix + "in/a", 3)]
    assert [info async for info in store.list(prefix + "nothing/")] == []


async def test_parts_become_an_object_with_a_checksum_of_its_own(
    store: S3Store, prefix: str
) -> None:
    bodies = [bytes(5 * MIB), b"the rest"]
    multipart = await store.create_multipart(prefix + "a")
    parts = [
        await store.upload_part(multipart, number, BytesIO(body), google_crc32c.value(body))
        for number, body in enumerate(bodies, 1)
    ]
    whole = b"".join(bodies)
    crc32c = google_crc32c.value(whole)
    with pytest.raises(ChecksumMismatch):
        await store.complete_multipart(multipart, parts, size=len(whole), crc32c=crc32c ^ 1)
    await store.complete_multipart(multipart, parts, size=len(whole), crc32c=crc32c)
    assert multipart.whole_checksum
    assert await verify(store, prefix + "a", len(whole), crc32c) is Verification.SAME


async def test_a_part_with_a_wrong_checksum_is_refused(store: S3Store, prefix: str) -> None:
    multipart = await store.create_multipart(prefix + "a")
    with pytest.raises(ChecksumMismatch):
        await store.upload_part(multipart, 1, BytesIO(b"x"), google_crc32c.value(b"y"))
    await store.abort_multipart(multipart.key, multipart.upload_id)


async def test_an_aborted_upload_is_gone(store: S3Store, prefix: str) -> None:
    multipart = await store.create_multipart(prefix + "a")
    listed = [upload async for upload in store.list_multipart_uploads(prefix)]
    assert [(upload.key, upload.upload_id) for upload in listed] == [
        (multipart.key, multipart.upload_id)
    ]
    for _ in range(2):
        await store.abort_multipart(multipart.key, multipart.upload_id)
    assert [upload async for upload in store.list_multipart_uploads(prefix)] == []
    with pytest.raises(ObjectNotFound):
        await store.upload_part(multipart, 1, BytesIO(b"x"), google_crc32c.value(b"x"))


async def test_activity_is_the_beginning_and_then_the_last_part(
    store: S3Store, prefix: str
) -> None:
    multipart = await store.create_multipart(prefix + "a")
    upload = await listed(store, prefix)
    assert await store.idle(upload) <= upload.age
    async with asyncio.timeout(10):  # the store keeps whole seconds
        while (aged := await listed(store, prefix)).age < 2:
            await asyncio.sleep(0.1)
    assert await store.idle(aged) >= 1
    await store.upload_part(multipart, 1, BytesIO(b"x"), google_crc32c.value(b"x"))
    aged = await listed(store, prefix)
    assert await store.idle(aged) < aged.age
    await store.abort_multipart(upload.key, upload.upload_id)


async def listed(store: S3Store, prefix: str) -> UnfinishedMultipart:
    (upload,) = [upload async for upload in store.list_multipart_uploads(prefix)]
    return upload


async def test_size_and_checksum_are_verified(store: S3Store, prefix: str) -> None:
    crc32c = google_crc32c.value(PNG)
    await store.put(prefix + "a", PNG, crc32c=crc32c)
    assert await verify(store, prefix + "a", len(PNG), crc32c) is Verification.SAME
    assert await verify(store, prefix + "a", len(PNG) + 1, crc32c) is Verification.DIFFERENT
    assert await verify(store, prefix + "a", len(PNG), crc32c ^ 1) is Verification.DIFFERENT
    with pytest.raises(ObjectNotFound):
        await verify(store, prefix + "missing", len(PNG), crc32c)


async def test_a_store_with_checksums_of_parts_only_leaves_the_result_unknown(
    store: S3Store, bucket: str, prefix: str
) -> None:
    key, crc32c = prefix + "a", google_crc32c.value(PNG)
    # A store that does not know FULL_OBJECT takes the request as if it did not name the type.
    begun = await store._client.create_multipart_upload(
        Bucket=bucket, Key=key, ChecksumAlgorithm="CRC32C"
    )
    multipart = Multipart(key, begun["UploadId"], whole_checksum=False)
    part = await store.upload_part(multipart, 1, BytesIO(PNG), crc32c)
    await store.complete_multipart(multipart, [part], size=len(PNG), crc32c=crc32c)
    assert await verify(store, key, len(PNG), crc32c) is Verification.UNKNOWN
    assert await verify(store, key, len(PNG) - 1, crc32c) is Verification.DIFFERENT


async def test_a_presigned_url_works_for_everyone_with_the_headers_it_names(
    store: S3Store, prefix: str
) -> None:
    await store.put(prefix + "a", PNG)
    url = await presigned(store, prefix + "a")
    async with aiohttp.ClientSession() as client:
        async with client.get(url) as answer:
            assert await answer.read() == PNG
            assert answer.headers["Content-Type"] == "image/png"
            assert (
                answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%C3%BC.png"
            )
        async with client.get(url, headers={"Range": "bytes=1-3"}) as answer:
            assert (answer.status, await answer.read()) == (206, b"PNG")


async def test_a_presigned_url_cannot_be_changed(store: S3Store, prefix: str) -> None:
    await store.put(prefix + "a", PNG)
    await store.put(prefix + "b", PNG)
    url = await presigned(store, prefix + "a")
    other_object = url.replace(prefix + "a", prefix + "b")
    other_type = url.replace("image%2Fpng", "text%2Fhtml")
    assert url not in {other_object, other_type}
    async with aiohttp.ClientSession() as client:
        for changed in (other_object, other_type):
            async with client.get(changed) as answer:
                assert answer.status == 403


async def test_a_presigned_url_ends(store: S3Store, prefix: str) -> None:
    await store.put(prefix + "a", PNG)
    url = await presigned(store, prefix + "a", expires=1)
    async with aiohttp.ClientSession() as client, asyncio.timeout(10):
        while True:
            async with client.get(url) as answer:
                if answer.status == 403:
                    break
                assert answer.status == 200


async def test_a_presigned_url_points_to_where_clients_find_the_store(
    store: S3Store, seaweedfs: SeaweedFS, bucket: str, prefix: str, client_name: S3ClientName
) -> None:
    public = seaweedfs.endpoint_url.replace("127.0.0.1", "localhost")
    await store.put(prefix + "a", PNG)
    async with S3Store.open(
        endpoint_url=seaweedfs.endpoint_url,
        bucket=bucket,
        region="us-east-1",
        access_key_id=seaweedfs.access_key_id,
        secret_access_key=seaweedfs.secret_access_key,
        public_endpoint_url=public,
        client_name=client_name,
    ) as split:
        url = await presigned(split, prefix + "a")
    assert url.startswith(public)
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        assert await answer.read() == PNG


async def presigned(store: S3Store, key: str, expires: int = 60) -> str:
    return await store.presigned_get(
        key,
        expires=expires,
        content_type="image/png",
        content_disposition="attachment; filename*=UTF-8''%C3%BC.png",
    )


async def test_a_bucket_is_made_once(seaweedfs: SeaweedFS, client_name: S3ClientName) -> None:
    async with S3Store.open(
        endpoint_url=seaweedfs.endpoint_url,
        bucket=f"new-{uuid.uuid4()}",
        region="us-east-1",
        access_key_id=seaweedfs.access_key_id,
        secret_access_key=seaweedfs.secret_access_key,
        client_name=client_name,
    ) as store:
        with pytest.raises(ObjectNotFound):
            await store.ping()
        await asyncio.gather(*(store.ensure_bucket() for _ in range(3)))
        await store.ensure_bucket()
        await store.ping()


async def test_a_wrong_secret_makes_the_store_unavailable(
    seaweedfs: SeaweedFS, bucket: str, client_name: S3ClientName
) -> None:
    async with S3Store.open(
        endpoint_url=seaweedfs.endpoint_url,
        bucket=bucket,
        region="us-east-1",
        access_key_id=seaweedfs.access_key_id,
        secret_access_key="wrong",
        client_name=client_name,
    ) as store:
        with pytest.raises(StoreUnavailable):
            await store.get("a")


async def test_a_store_that_is_down_is_unavailable_to_every_call(
    bucket: str, client_name: S3ClientName
) -> None:
    async with S3Store.open(
        endpoint_url=f"http://127.0.0.1:{free_ports(1)[0]}",
        bucket=bucket,
        region="us-east-1",
        access_key_id="key",
        secret_access_key="secret",
        client_name=client_name,
    ) as store:
        multipart = Multipart("a", "id", whole_checksum=True)
        calls = [
            store.ping(),
            store.ensure_bucket(),
            store.put("a", b"x"),
            store.get("a"),
            store.read_range("a", 0, 1),
            store.head("a"),
            store.delete("a"),
            anext(store.list("a")),
            store.create_multipart("a"),
            store.upload_part(multipart, 1, BytesIO(b"x"), 0),
            store.complete_multipart(multipart, [], size=0, crc32c=0),
            store.abort_multipart("a", "id"),
            anext(store.list_multipart_uploads("a")),
        ]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [StoreUnavailable] * len(calls)


async def test_a_store_that_keeps_asking_to_slow_down_is_unavailable(
    shaky_store: S3Store, proxy: FaultProxy, prefix: str
) -> None:
    proxy.fail(rb"^PUT .*/a", Fault.SLOW_DOWN)
    with pytest.raises(StoreUnavailable, match="SlowDown"):
        await shaky_store.put(prefix + "a", PNG)


async def test_a_claim_is_ours_even_if_the_stores_answer_was_lost(
    shaky_store: S3Store, proxy: FaultProxy, prefix: str
) -> None:
    lost = proxy.fail(rb"^PUT .*/claim", Fault.CUT_ANSWER, times=1)
    etag = (await shaky_store.put(prefix + "claim", b"ours", if_none_match=True)).etag
    assert lost.met.is_set()
    assert (await shaky_store.get(prefix + "claim"))[:2] == (b"ours", etag)


async def test_claim_of_another_request_is_not_ours_after_a_lost_answer(
    store: S3Store, shaky_store: S3Store, proxy: FaultProxy, prefix: str
) -> None:
    await store.put(prefix + "claim", b"theirs")
    lost = proxy.fail(rb"^PUT .*/claim", Fault.CUT_ANSWER, times=1)
    with pytest.raises(PreconditionFailed):
        await shaky_store.put(prefix + "claim", b"ours", if_none_match=True)
    assert lost.met.is_set()


@pytest.mark.parametrize("condition", [{"if_none_match": True}, {"if_match": "of-before"}])
async def test_a_conditional_write_that_met_another_one_is_tried_again(
    shaky_store: S3Store, proxy: FaultProxy, store: S3Store, prefix: str, condition: dict[str, Any]
) -> None:
    key = prefix + "claim"
    if "if_match" in condition:
        condition = {"if_match": (await store.put(key, b"before")).etag}
    met = proxy.fail(rb"^PUT .*/claim", Fault.CONFLICT, times=2)
    written = await shaky_store.put(key, b"ours", **condition)
    assert met.met.is_set()
    assert (await store.get(key))[:2] == (b"ours", written.etag)


async def test_conditional_writes_that_keep_meeting_others_are_abandoned(
    shaky_store: S3Store, proxy: FaultProxy, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.s3._DISTURBED_PAUSE", 0.001)
    proxy.fail(rb"^PUT .*/claim", Fault.CONFLICT)
    with pytest.raises(StoreUnavailable, match="ConditionalRequestConflict"):
        await shaky_store.put(prefix + "claim", b"ours", if_none_match=True)
