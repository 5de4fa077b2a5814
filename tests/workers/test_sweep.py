"""Uploads that were left behind are resumed or removed, by the bucket's listing alone.

The worker's clock is the store's, so a test makes things old by a store that says that they are.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from typing import cast

import google_crc32c
import pytest
from redis.asyncio import Redis

from gateway.backends import GATHERINGS, Backends
from gateway.choices import Delivery
from gateway.errors import ObjectNotFound, UploadSuperseded
from gateway.records.ledger import Ledger
from gateway.records.removals import Order, Removals
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from gateway.uploads.lifecycle import Step, advance, begin
from gateway.uploads.record import Cause, File, State, Target, Terms, Upload
from tests.flows import files
from tests.flows.client import ENDS, PATIENCE, Client
from tests.servers.aged_store import later, open_aged_backends, own_lease, sweep_later
from tests.servers.fixtures import StartGateway
from tests.servers.metrics import Scrape, until
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox
from workers.due import Due
from workers.runtime import WorkerServices
from workers.sniff import Sniffer
from workers.steps.audit import audit
from workers.steps.resumption import resume
from workers.sweep import sweep_once
from workers.sweep.backlog import resend
from workers.sweep.expired import expire
from workers.sweep.leftovers import ABANDONED, _forget_dead

pytestmark = pytest.mark.slow

LATER = 3600.0


@pytest.fixture
async def backends(environ: dict[str, str]) -> AsyncIterator[Backends]:
    async with open_aged_backends(environ) as opened:
        yield opened


async def sweep(backends: Backends, ageing: float = 0.0) -> None:
    """One pass, so many seconds later."""
    await backends.redis.set(keys.PRESENT_SINCE, 0)  # no process has come since a wipe
    waiting = await backends.redis.zrange(keys.RELAYED_SET, 0, -1, withscores=True)
    for member, accepted in cast(list[tuple[bytes, float]], waiting):
        await backends.redis.zadd(keys.RELAYED_SET, {member: accepted - ageing})
    await sweep_later(backends, ageing)


def stored_upload(delivery: Delivery = Delivery.EXTERNAL) -> Upload:
    now = datetime.now(UTC)
    state = State.STORED if delivery is Delivery.EXTERNAL else State.RELAYED
    upload_id = new_id()
    return Upload(
        id=upload_id,
        subject="alice",
        request_id="r",
        delivery=delivery,
        target=Target("POST", f"/v1/channels/{CHANNEL}/messages"),
        history=begin(now, state, now),
        files=(
            File(
                name="a.png",
                original_name="a.png",
                declared_type="image/png",
                size=len(files.PNG),
                crc32c=google_crc32c.value(files.PNG),
                head=files.PNG if delivery is Delivery.RELAY else b"",
            ),
        ),
        terms=Terms(),
        url=f"http://files.example/{upload_id}",
    )


@pytest.fixture(autouse=True)
async def nothing_left_behind(backends: Backends) -> None:
    """What other tests left would be swept up as well, and keep the worker from our own."""
    await backends.redis.delete(keys.RELAYED_SET)
    for pending in [each async for each in backends.ledger.list_pending()]:
        await backends.ledger.forget_pending(pending.upload_id)


async def end_of(ledger: Ledger, upload_id: str) -> Upload:
    async with asyncio.timeout(PATIENCE):
        while (upload := await ledger.find(upload_id)).state not in ENDS:
            await asyncio.sleep(0.05)
    return upload


@pytest.mark.usefixtures("worker")
async def test_an_upload_whose_task_was_lost_is_registered_once(
    backends: Backends, sandbox: Sandbox
) -> None:
    upload = stored_upload()
    await backends.store.put(keys.incoming(upload.id), files.PNG)
    await backends.ledger.accept(upload)
    await backends.redis.flushdb()
    await sweep(backends, LATER)
    assert (await end_of(backends.ledger, upload.id)).state is State.REGISTERED
    urls = [message["file"]["url"] for message in await sandbox.messages() if "file" in message]
    assert urls.count(upload.url) == 1


@pytest.mark.usefixtures("worker")
async def test_a_relayed_upload_whose_task_was_lost_is_audited(backends: Backends) -> None:
    upload = stored_upload(Delivery.RELAY)
    await backends.ledger.accept_relayed(upload)
    await sweep(backends, LATER)
    assert (await end_of(backends.ledger, upload.id)).state is State.FLAGGED


async def test_record_lost_by_redis_blocks_nothing(backends: Backends) -> None:
    many = [stored_upload(Delivery.RELAY) for _ in range(3)]
    for upload in many:
        await backends.ledger.accept_relayed(upload)
    lost, kept, evicted = (upload.id for upload in many)
    await backends.redis.zincrby(keys.RELAYED_SET, -LATER, lost)
    await backends.redis.delete(keys.relayed(lost), keys.relayed(evicted))
    number, age = await backends.ledger.relayed_backlog()
    assert number == 1
    assert age < LATER
    assert await backends.ledger.list_relayed(-LATER, 1) == [kept]
    assert await backends.redis.zrange(keys.RELAYED_SET, 0, -1) == [kept.encode()]


async def test_a_relay_that_has_a_record_in_the_bucket_as_well_loses_that_later(
    backends: Backends,
) -> None:
    """As after a Redis that took the record and did not say so."""
    upload = stored_upload(Delivery.RELAY)
    await backends.ledger.accept_relayed(upload)
    await backends.ledger._keep_in_store(upload)
    async with Sniffer.open() as sniffer:
        services = WorkerServices(backends, sniffer, Due(backends.redis, backends.queue))
        await audit(upload.id, services)
        assert await backends.redis.exists(keys.relayed(upload.id)) == 0
        ended = await backends.ledger.ended(upload.id)
        assert ended is not None
        assert ended.state is State.FLAGGED
        await resume(upload.id, services)  # as the sweeper has it done
    with pytest.raises(ObjectNotFound):
        await backends.ledger.open_kept(upload.id)
    again = await backends.ledger.ended(upload.id)
    assert again is not None
    assert again.state is State.FLAGGED


@pytest.mark.usefixtures("worker")
async def test_many_audits_in_one_message_are_all_done(backends: Backends) -> None:
    many = [stored_upload(Delivery.RELAY) for _ in range(GATHERINGS[Step.AUDIT].largest)]
    for upload in many:
        await backends.ledger.accept_relayed(upload)
    await sweep(backends, LATER)
    ended = await asyncio.gather(*(end_of(backends.ledger, upload.id) for upload in many[::10]))
    assert {upload.state for upload in ended} == {State.FLAGGED}
    async with asyncio.timeout(PATIENCE):
        while await backends.redis.exists(*(keys.relayed(upload.id) for upload in many)):
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("worker")
async def test_audits_that_a_killed_gateway_never_handed_over_are_done(
    start_gateway: StartGateway, backends: Backends
) -> None:
    gateway = start_gateway(broker_url="redis://127.0.0.1:1/0")  # so that none is handed over
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        path = f"/v1/channels/{CHANNEL}/messages"
        answers = await asyncio.gather(*(client.upload(path, files.PNG) for _ in range(8)))
        os.kill(gateway.pid, signal.SIGKILL)
    assert [answer.status for answer in answers] == [200] * 8
    states = [(await backends.ledger.find(answer.upload_id)).state for answer in answers]
    assert states == [State.RELAYED] * 8
    await sweep(backends, LATER)
    for answer in answers:
        assert (await end_of(backends.ledger, answer.upload_id)).state in {
            State.AUDITED,
            State.FLAGGED,
        }


async def test_a_fresh_upload_is_left_alone(backends: Backends) -> None:
    upload = stored_upload()
    await backends.ledger.accept(upload)
    await sweep(backends)
    entry = await backends.ledger.open(upload.id)
    assert entry is not None
    assert entry.upload == upload
    await backends.ledger.forget_pending(upload.id)


@pytest.mark.usefixtures("worker")
async def test_a_pending_record_of_an_upload_that_has_ended_is_removed(backends: Backends) -> None:
    upload = stored_upload()
    await backends.ledger.accept(upload)
    entry = await backends.ledger.open(upload.id)
    assert entry is not None
    await backends.ledger.save(entry, advance(upload, State.REJECTED, datetime.now(UTC)))
    await backends.ledger.accept(upload)  # as if the process had died before the removal
    await sweep(backends, LATER)
    async with asyncio.timeout(PATIENCE):
        while await backends.ledger.open(upload.id) is not None:
            await asyncio.sleep(0.05)
    assert (await backends.ledger.find(upload.id)).state is State.REJECTED


async def test_an_abandoned_multipart_upload_is_aborted_and_an_active_one_is_not(
    backends: Backends,
) -> None:
    key = keys.incoming(new_id())
    multipart = await backends.store.create_multipart(key)
    part = bytes(5 * 1024**2)
    await backends.store.upload_part(multipart, 1, BytesIO(part), google_crc32c.value(part))
    await sweep(backends)
    assert key in await unfinished(backends)
    await sweep(backends, LATER)
    assert key not in await unfinished(backends)


async def unfinished(backends: Backends) -> list[str]:
    uploads = backends.store.list_multipart_uploads(keys.INCOMING)
    return [upload.key async for upload in uploads]


async def test_a_record_is_forgotten_after_its_time(backends: Backends) -> None:
    upload = stored_upload()
    await backends.ledger.accept(upload)
    entry = await backends.ledger.open(upload.id)
    assert entry is not None
    await backends.ledger.save(entry, advance(upload, State.REJECTED, datetime.now(UTC)))
    await sweep(backends)
    assert await backends.ledger.ended(upload.id)
    await sweep(backends, backends.settings.record_retention + LATER)
    assert not await backends.ledger.ended(upload.id)


async def test_a_relayed_upload_is_kept_in_the_bucket_if_redis_is_down(
    backends: Backends,
) -> None:
    nowhere = Redis.from_url("redis://127.0.0.1:1/0")
    ledger = Ledger(backends.store, nowhere, 60, backends.outbox)
    upload = stored_upload(Delivery.RELAY)
    await ledger.accept_relayed(upload)
    assert await ledger.find(upload.id) == upload
    await ledger.forget_pending(upload.id)
    await nowhere.aclose()


async def test_a_file_that_no_record_tells_of_is_removed_and_can_never_be_accepted(
    backends: Backends,
) -> None:
    upload = stored_upload()
    await backends.store.put(keys.incoming(upload.id), files.PNG)
    await sweep(backends)
    await backends.store.head(keys.incoming(upload.id))  # its record may be on its way
    await sweep(backends, LATER)
    await backends.store.head(keys.incoming(upload.id))  # however old: it was never missed before
    await sweep(backends, LATER)
    with pytest.raises(ObjectNotFound):
        await backends.store.head(keys.incoming(upload.id))
    assert (await backends.ledger.find(upload.id)).state is State.ABORTED
    with pytest.raises(UploadSuperseded):
        await backends.ledger.accept(upload)
    with pytest.raises(ObjectNotFound):
        await backends.ledger.open_kept(upload.id)


async def test_objects_that_cannot_be_uploads_are_removed_too(backends: Backends) -> None:
    await backends.store.put(keys.INCOMING + "strange", b"x")
    await sweep(backends, LATER)
    await sweep(backends, LATER)
    with pytest.raises(ObjectNotFound):
        await backends.store.head(keys.INCOMING + "strange")


async def test_a_file_with_a_record_stays_and_its_record_with_it(backends: Backends) -> None:
    upload = stored_upload()
    await backends.store.put(keys.incoming(upload.id), files.PNG)
    entry = await backends.ledger.accept(upload)
    inspected = advance(upload, State.INSPECTED, datetime.now(UTC))
    await backends.ledger.save(entry, advance(inspected, State.REGISTERED, datetime.now(UTC)))
    await sweep(backends, backends.settings.record_retention + LATER)
    await backends.store.head(keys.incoming(upload.id))
    assert await backends.ledger.ended(upload.id)


async def test_a_multipart_upload_that_a_process_works_on_is_left_alone(
    backends: Backends,
) -> None:
    upload_id = new_id()
    multipart = await backends.store.create_multipart(keys.incoming(upload_id))
    await backends.redis.set(keys.presence(upload_id), b"", ex=60)
    await sweep(backends, LATER)
    assert multipart.key in await unfinished(backends)
    await backends.redis.delete(keys.presence(upload_id))
    await sweep(backends, LATER)
    assert multipart.key not in await unfinished(backends)


async def test_a_multipart_upload_that_a_process_tells_the_bucket_of_is_left_alone(
    backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = new_id()
    multipart = await backends.store.create_multipart(keys.incoming(upload_id))
    told = keys.presences(new_id())
    await backends.store.put(told, json.dumps([new_id(), upload_id]).encode())
    await sweep(backends, LATER)
    assert multipart.key in await unfinished(backends)
    monkeypatch.setattr("workers.sweep.leftovers.ABANDONED", -1.0)
    await sweep(backends, LATER)  # its process has died
    await sweep(backends, LATER)
    assert multipart.key not in await unfinished(backends)
    with pytest.raises(ObjectNotFound):
        await backends.store.head(told)


async def test_a_redis_that_knows_of_no_process_is_not_believed_for_long(
    backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.sweep.leftovers.BEAT_SECONDS", -1.0)
    monkeypatch.setattr("gateway.records.heartbeats.BEAT_SECONDS", 1e9)  # as if it had just begun
    multipart = await backends.store.create_multipart(keys.incoming(new_id()))
    await backends.redis.delete(keys.PRESENT_SINCE)
    await sweep_later(backends, ABANDONED - 600)
    assert multipart.key in await unfinished(backends)
    await sweep_later(backends, LATER)
    assert multipart.key not in await unfinished(backends)


async def test_a_claim_is_forgotten_long_after_it_means_nothing(backends: Backends) -> None:
    key = keys.claim("alice", new_id())
    await backends.store.put(key, b"{}")
    await sweep(backends, backends.settings.idempotency_retention)
    await backends.store.head(key)
    await sweep(backends, backends.settings.idempotency_retention + 2 * LATER)
    with pytest.raises(ObjectNotFound):
        await backends.store.head(key)


async def test_a_pass_stops_when_too_many_tasks_wait_and_the_next_continues_there(
    own_backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.sweep.backlog.MOST_WAITING", 3)
    sent: list[str] = []
    monkeypatch.setattr(own_backends.queue, "depth", lambda: 0)
    monkeypatch.setattr(own_backends.queue, "send", lambda _, upload_id: sent.append(upload_id))
    uploads = [stored_upload() for _ in range(5)]
    for upload in uploads:
        await own_backends.ledger.accept(upload)
    lease = await own_lease(own_backends)
    with later(own_backends, LATER):
        for _ in range(3):
            await resend(own_backends, lease)
    ids = sorted(upload.id for upload in uploads)
    assert sent[:5] == ids
    assert sent[5:] == ids[:3]  # and round again


async def test_orders_delay_no_upload_and_are_all_carried_out(
    own_backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.sweep.backlog.MOST_WAITING", 3)
    sent: list[str] = []
    monkeypatch.setattr(own_backends.queue, "depth", lambda: 0)
    monkeypatch.setattr(own_backends.queue, "send", lambda _, what: sent.append(what))
    removals = Removals(own_backends.store)
    await own_backends.store.put(keys.removal("foreign"), b"no order")
    orders = sorted(
        [await removals.place(Order(upload_id=new_id(), cause=Cause.MESSAGE)) for _ in range(5)]
    )
    upload = stored_upload()
    await own_backends.ledger.accept(upload)
    lease = await own_lease(own_backends)
    with later(own_backends, LATER):
        await resend(own_backends, lease)
        assert sent == [upload.id, *orders[:2]]
        await own_backends.ledger.forget_pending(upload.id)
        await resend(own_backends, lease)
    assert sent[3:] == orders[2:]


async def test_unreadable_record_is_kept_as_long_as_an_orphaned_file(
    backends: Backends,
) -> None:
    key = keys.dead(new_id())
    await backends.store.put(key, b"{no record")
    retention = backends.settings.orphan_retention
    for ageing, there in ((retention - LATER, [key]), (retention + 1, [])):
        with later(backends, ageing):
            await _forget_dead(backends)
        assert [info.key async for info in backends.store.list(key)] == there


async def test_the_stores_clock_says_when_a_file_is_past_its_time(
    backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = new_id()
    lease = await own_lease(backends)
    mark = keys.expiry(lease.store_time() + LATER, upload_id)
    await backends.store.put(mark, b"")
    monkeypatch.setattr("time.time", lambda: lease.store_time() + 2 * LATER)
    await expire(backends, lease)
    assert [info.key async for info in backends.store.list(mark)] == [mark]
    monkeypatch.setattr(lease, "store_time", lambda: float(2 * 10**9))
    await expire(backends, lease)
    assert [info.key async for info in backends.store.list(mark)] == []


async def test_what_the_bucket_holds_is_counted_and_reported(
    own_backends: Backends,
    own_environ: dict[str, str],
    start_gateway: StartGateway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload = stored_upload()
    await own_backends.ledger.accept(upload)
    await own_backends.store.put(keys.incoming(upload.id), files.PNG)
    await own_backends.store.put(keys.incoming(new_id()), files.JPEG)
    monkeypatch.setattr("workers.sweep.leftovers._WALK", 1)
    lease = await own_lease(own_backends)
    passes = 0
    while (counted := lease.memory.counted) is None:
        assert passes < 4
        await sweep_once(own_backends, lease)
        passes += 1
    assert passes > 1
    assert counted.objects == {"files": 1, "orphans": 1, "pending": 1}
    pending = [info.size async for info in own_backends.store.list(keys.PENDING)]
    assert counted.bytes == {
        "files": len(files.PNG),
        "orphans": len(files.JPEG),
        "pending": sum(pending),
    }
    gateway = start_gateway(
        **{name.removeprefix("GATEWAY_").lower(): value for name, value in own_environ.items()}
    )

    def reported(found: Scrape) -> bool:
        return found.value("bucket_bytes", kind="files") == counted.bytes["files"]

    found = await until(gateway.admin_url, reported)
    assert found.value("bucket_count_began_timestamp_seconds") == counted.began
