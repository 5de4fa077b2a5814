"""An offered record registers its upload once, however often and however late it is delivered."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import google_crc32c
import pytest
from cryptography.fernet import Fernet
from msgspec.structs import replace

from gateway.backends import Backends
from gateway.crypto import KeyRing
from gateway.records.completion_events import CompletionEvents, Notice
from gateway.records.offers import GOOD_FOR, LARGEST
from gateway.records.sealed import seal, unseal
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step, reopen
from gateway.uploads.record import NOT_REGISTERED, Fault, State, Upload
from tests.flows import files
from tests.flows.client import PATIENCE
from tests.servers import poisonable_libmagic as libmagic
from tests.servers.aged_store import later, open_aged_backends
from tests.servers.sandbox import Sandbox
from tests.workers.test_sweep import stored_upload
from workers.due import Due
from workers.libmagic.process import COMMAND
from workers.runtime import WorkerServices
from workers.sniff import Sniffer
from workers.steps import poison
from workers.steps.ending import conclude
from workers.steps.offering import inspecting
from workers.steps.resumption import resume


@dataclass
class Worker:
    """Takes tasks that the test gives it, with ChatKitty behind it."""

    services: WorkerServices
    sandbox: Sandbox

    @property
    def backends(self) -> Backends:
        return self.services.backends

    def with_libmagic(self, sniffer: Sniffer) -> "Worker":
        return Worker(
            WorkerServices(self.backends, sniffer, Due(self.backends.redis, self.backends.queue)),
            self.sandbox,
        )

    async def store(self, data: bytes = files.PNG) -> Upload:
        """An upload with its file in the store, and no record."""
        upload = stored_upload()
        await self.backends.store.put(keys.incoming(upload.id), data)
        return upload

    def offer(self, upload: Upload) -> dict[str, str]:
        return {upload.id: seal(upload, self.backends.ring)}

    async def take(self, upload: Upload, offers: dict[str, str] | None = None) -> None:
        """Run the task as it was sent, with the upload's own offer unless others are given."""
        offers = self.offer(upload) if offers is None else offers
        await poison.one(Step.INSPECT, upload.id, inspecting(offers))(self.services)

    async def messages(self, upload: Upload) -> int:
        """How many messages ChatKitty has of the upload."""
        found = [each.get("file", {}).get("url") for each in await self.sandbox.messages()]
        return found.count(upload.url)

    async def left(self, prefix: str, upload: Upload) -> bool:
        return bool([info async for info in self.backends.store.list(prefix + upload.id)])


@pytest.fixture
async def worker(
    environ: dict[str, str], own_redis_url: str, sandbox: Sandbox
) -> AsyncIterator[Worker]:
    own = {**environ, "GATEWAY_REDIS_URL": own_redis_url, "GATEWAY_BROKER_URL": own_redis_url}
    async with open_aged_backends(own) as backends, Sniffer.open() as sniffer:
        yield Worker(
            WorkerServices(backends, sniffer, Due(backends.redis, backends.queue)), sandbox
        )


async def test_an_offered_upload_is_registered_without_a_record(worker: Worker) -> None:
    upload = await worker.store()
    await worker.take(upload)
    ended = await worker.backends.ledger.ended(upload.id)
    assert ended is not None
    assert ended.state is State.REGISTERED
    assert await worker.messages(upload) == 1
    assert not await worker.left(keys.PENDING, upload)


async def listeners(worker: Worker) -> int:
    ((_, count),) = await worker.backends.redis.pubsub_numsub(keys.ENDED_CHANNEL)
    return int(count)


async def notice_of_end(worker: Worker, upload: Upload) -> Notice:
    """What waiting requests hear when an offered upload has ended."""
    notices = CompletionEvents(worker.backends.redis)
    before = await listeners(worker)
    listening = asyncio.create_task(notices.listen())
    try:
        async with notices.watch(upload.id) as notice, asyncio.timeout(PATIENCE):
            while await listeners(worker) <= before:
                await asyncio.sleep(0.01)
            await worker.take(upload)
            await notice.wait()
            return notice
    finally:
        listening.cancel()


async def test_the_notice_contains_the_end(worker: Worker) -> None:
    upload = await worker.store()
    notice = await notice_of_end(worker, upload)
    assert notice.sealed is not None
    told = unseal(notice.sealed, worker.backends.ring)
    assert told == await worker.backends.ledger.ended(upload.id)


async def test_an_end_that_is_too_long_for_a_notice_is_announced_all_the_same(
    worker: Worker,
) -> None:
    upload = await worker.store()
    properties = json.dumps({"random": secrets.token_hex(LARGEST)})
    notice = await notice_of_end(worker, replace(upload, fields=(("properties", properties),)))
    assert notice.sealed is None
    assert await worker.messages(upload) == 1


async def test_an_offer_is_taken_before_an_inspection_takes_long(worker: Worker) -> None:
    """Else the gateway would have the file that hurts libmagic inspected by others as well."""
    upload = stored_upload()
    size, crc32c = len(libmagic.HANGS), google_crc32c.value(libmagic.HANGS)
    upload = upload.with_file(replace(upload.file, size=size, crc32c=crc32c))
    await worker.backends.store.put(keys.incoming(upload.id), libmagic.HANGS)
    async with Sniffer.open((*COMMAND[:-1], libmagic.__name__)) as sniffer:
        task = asyncio.create_task(worker.with_libmagic(sniffer).take(upload))
        async with asyncio.timeout(PATIENCE):
            while not await worker.left(keys.PENDING, upload):
                await asyncio.sleep(0.01)
        kept = await worker.backends.ledger.open_kept(upload.id)
        assert (kept.upload, task.done()) == (upload, False)
        assert not await worker.backends.ledger.accept_offered(upload)
        await task
    ended = await worker.backends.ledger.ended(upload.id)
    assert ended is not None
    assert ended.file.content_type == "application/octet-stream"
    assert not await worker.left(keys.PENDING, upload)


async def test_a_second_delivery_finds_the_end(worker: Worker) -> None:
    upload = await worker.store()
    for _ in range(3):
        await worker.take(upload)
    assert await worker.messages(upload) == 1
    assert not await worker.left(keys.PENDING, upload)


async def test_deliveries_at_the_same_time_register_once(worker: Worker) -> None:
    upload = await worker.store()
    await asyncio.gather(*(worker.take(upload) for _ in range(4)))
    assert await worker.messages(upload) == 1
    assert not await worker.left(keys.PENDING, upload)


async def test_a_second_delivery_of_a_rejected_file_leaves_its_end(worker: Worker) -> None:
    upload = await worker.store(files.EXE)
    await worker.take(upload)
    before = await worker.backends.ledger.ended(upload.id)
    assert before is not None
    assert before.state in {State.REJECTED, State.FAILED}
    await worker.backends.store.put(keys.incoming(upload.id), files.PNG)  # as if it were back
    await worker.take(upload)
    assert await worker.backends.ledger.ended(upload.id) == before
    assert not await worker.left(keys.PENDING, upload)


async def test_the_record_of_the_gateway_counts(worker: Worker) -> None:
    upload = await worker.store()
    await worker.backends.ledger.accept_offered(upload)
    await worker.take(upload)
    assert await worker.messages(upload) == 1
    assert not await worker.left(keys.PENDING, upload)


async def test_the_gateway_finds_what_a_worker_has_done(worker: Worker) -> None:
    upload = await worker.store()
    await worker.take(upload)
    assert not await worker.backends.ledger.accept_offered(upload)
    assert not await worker.left(keys.PENDING, upload)


async def test_a_late_gateway_leaves_an_upload_that_was_retried(worker: Worker) -> None:
    upload = await worker.store()
    ledger = worker.backends.ledger
    fault = Fault(NOT_REGISTERED, "ChatKitty was away")
    await conclude(worker.backends, await ledger.accept(upload), upload, fault)
    again = reopen((await ledger.open_ended(upload.id)).upload, datetime.now(UTC))
    await ledger.reopen(again)
    assert not await ledger.accept_offered(upload)
    assert (await ledger.open_kept(upload.id)).upload == again
    await resume(upload.id, worker.services)
    assert await worker.messages(upload) == 1


async def test_an_offer_that_comes_late_registers_nothing(worker: Worker) -> None:
    upload = await worker.store()
    with later(worker.backends, GOOD_FOR + 1):
        await worker.take(upload)
    assert await worker.messages(upload) == 0
    assert not await worker.left(keys.PENDING, upload)
    assert not await worker.left(keys.RECORDS, upload)


async def test_an_offer_that_comes_late_is_a_hint_at_the_record(worker: Worker) -> None:
    upload = await worker.store()
    await worker.backends.ledger.accept(upload)
    with later(worker.backends, GOOD_FOR + 1):
        await worker.take(upload)
    assert await worker.messages(upload) == 1


async def test_an_offer_whose_file_is_gone_leaves_nothing(worker: Worker) -> None:
    upload = stored_upload()
    await worker.take(upload)
    assert not await worker.left(keys.PENDING, upload)
    assert not await worker.left(keys.RECORDS, upload)


def of_another_key(upload: Upload, _: KeyRing) -> str:
    return seal(upload, KeyRing([Fernet.generate_key().decode()]))


def of_another_upload(_: Upload, ring: KeyRing) -> str:
    return seal(stored_upload(), ring)


def of_nothing(_: Upload, __: KeyRing) -> str:
    return "offer"


@pytest.mark.parametrize("make", [of_another_key, of_another_upload, of_nothing])
async def test_an_offer_that_is_not_ours_is_none(
    worker: Worker, make: Callable[[Upload, KeyRing], str]
) -> None:
    upload = await worker.store()
    offers = {upload.id: make(upload, worker.backends.ring)}
    await worker.take(upload, offers)
    assert await worker.messages(upload) == 0
    await worker.backends.ledger.accept(upload)
    await worker.take(upload, offers)
    assert await worker.messages(upload) == 1
