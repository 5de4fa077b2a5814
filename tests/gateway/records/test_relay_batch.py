"""Records of relayed uploads share round trips to Redis, and each caller gets its own result."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import cast

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.answer import Answer
from gateway.choices import Delivery
from gateway.errors import RecordNotKept, StoreUnavailable
from gateway.records.relay_batch import RelayedRecords
from gateway.stack.ports import HOST
from gateway.stack.valkey import Valkey
from gateway.uploads import keys
from gateway.uploads.record import Upload, unpack
from tests.servers.databases import script_trips
from tests.workers.test_sweep import stored_upload

MANY = 1000
"""More concurrent uploads than any test has: the moment has to pass."""


class Elsewhere:
    """Takes what Redis does not take, or refuses it as well."""

    def __init__(self) -> None:
        self.kept: list[Upload] = []
        self.away = False

    async def keep(self, upload: Upload) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.kept.append(upload)


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
async def redis(module_valkey: Valkey) -> AsyncIterator[Redis]:
    async with Redis.from_url(module_valkey.url) as client:
        yield client


@pytest.fixture
def records(redis: Redis, elsewhere: Elsewhere) -> Iterator[RelayedRecords]:
    with closing(RelayedRecords(redis, 60, elsewhere.keep)) as opened:
        yield opened


def uploads(count: int) -> list[Upload]:
    return [stored_upload(Delivery.RELAY) for _ in range(count)]


def keep(records: RelayedRecords, upload: Upload, concurrent: int = MANY) -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(error: Exception | None) -> None:
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(None)

    records.keep(upload, concurrent, tell)
    return done


async def test_uploads_of_one_moment_share_a_trip(redis: Redis, records: RelayedRecords) -> None:
    await keep(records, uploads(1)[0])  # connects, and loads the script
    before = await script_trips(redis)
    many = uploads(150)
    await asyncio.gather(*(keep(records, upload) for upload in many))
    assert await script_trips(redis) - before == 2
    for upload in many:
        document = cast(bytes, await redis.get(keys.relayed(upload.id)))
        assert unpack(document) == upload
        accepted = await redis.zscore(keys.RELAYED_SET, upload.id)
        assert accepted is not None
        assert (await redis.time())[0] - 60 < accepted <= (await redis.time())[0]
        assert await redis.zscore(keys.of_subject("alice"), upload.id) == 0
        assert 0 < await redis.ttl(keys.relayed(upload.id)) <= 60


async def test_waiting_ends_once_all_are_there(redis: Redis, records: RelayedRecords) -> None:
    await keep(records, uploads(1)[0])
    before = await script_trips(redis)
    first = keep(records, uploads(1)[0], concurrent=1)
    second = keep(records, uploads(1)[0], concurrent=2)  # too late: the first is on its way
    await asyncio.gather(first, second)
    assert await script_trips(redis) - before == 2


async def test_a_record_that_comes_later_is_kept_too(redis: Redis, records: RelayedRecords) -> None:
    for upload in uploads(3):
        await keep(records, upload)
        assert await redis.exists(keys.relayed(upload.id))


async def test_a_record_that_redis_refuses_is_kept_elsewhere(elsewhere: Elsewhere) -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        with closing(RelayedRecords(nowhere, 60, elsewhere.keep)) as records:
            many = uploads(3)
            await asyncio.gather(*(keep(records, upload) for upload in many))
            assert elsewhere.kept == many


async def test_all_waiting_callers_get_an_error_if_no_server_accepts_it(
    elsewhere: Elsewhere,
) -> None:
    elsewhere.away = True
    async with Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        with closing(RelayedRecords(nowhere, 60, elsewhere.keep)) as records:
            told = await asyncio.gather(
                *(keep(records, upload) for upload in uploads(3)), return_exceptions=True
            )
            assert all(isinstance(error, RecordNotKept) for error in told)
            assert all(error.outcome_unknown for error in told if isinstance(error, RecordNotKept))


async def test_a_record_that_cannot_be_written_fails_only_its_own_upload(
    redis: Redis, records: RelayedRecords
) -> None:
    broken = replace(uploads(1)[0], result=Answer(2**70, (), b"{}"))  # which MessagePack has not
    before, during, after = uploads(3)
    async with asyncio.timeout(5):
        told = await asyncio.gather(
            *(keep(records, upload) for upload in (before, broken, during)), return_exceptions=True
        )
    assert [type(error) for error in told] == [type(None), RecordNotKept, type(None)]
    await keep(records, after)
    for upload in (before, during, after):
        assert await redis.exists(keys.relayed(upload.id))


async def test_failing_callback_does_not_stop_the_others(records: RelayedRecords) -> None:
    first, failing, last = uploads(3)

    def fail(_: Exception | None) -> None:
        raise ArithmeticError

    done = [keep(records, first)]
    records.keep(failing, MANY, fail)
    done.append(keep(records, last))
    async with asyncio.timeout(5):
        await asyncio.gather(*done)
        await keep(records, uploads(1)[0])


SCRIPT_LOADED = b"$40\r\n" + b"a" * 40 + b"\r\n"
FAULTS = {
    "no Redis": (b"SSH-2.0-OpenSSH_9.6\r\n",),
    "an error": (SCRIPT_LOADED, b"-READONLY You can't write against a read only replica.\r\n"),
    "an error within": (SCRIPT_LOADED, b"$5\r\nhel"),
    "no answer": (SCRIPT_LOADED, b""),
    "nonsense": (SCRIPT_LOADED, b"nonsense\r\n"),
    "an end": (SCRIPT_LOADED,),
    "an end at once": (),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_caller_gets_its_reply_whatever_redis_answers(
    elsewhere: Elsewhere, fault: str
) -> None:
    says = FAULTS[fault]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in says:
            await reader.read(65_536)
            writer.write(answer)
        await reader.read(65_536 if says and says[-1] == b"" else 0)
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    url = f"redis://{HOST}:{port}?protocol=2&lib_name=&lib_version="
    async with server, Redis.from_url(url) as redis, asyncio.timeout(30):
        with closing(RelayedRecords(redis, 60, elsewhere.keep)) as records:
            for _ in range(2):
                many = uploads(120)
                await asyncio.gather(*(keep(records, upload) for upload in many))
                assert elsewhere.kept == many
                elsewhere.kept.clear()


@pytest.mark.parametrize("fault", ["the script is forgotten", "the connection is cut"])
async def test_the_next_record_goes_to_redis_again_after_a_fault(
    redis: Redis, records: RelayedRecords, elsewhere: Elsewhere, fault: str
) -> None:
    await keep(records, uploads(1)[0])
    if fault == "the script is forgotten":
        await redis.script_flush()
    else:
        for client in await redis.client_list():
            if client["cmd"] == "evalsha":
                await redis.client_kill_filter(_id=client["id"])
    during, after = uploads(2)
    await keep(records, during)
    assert elsewhere.kept == [during] or await redis.exists(keys.relayed(during.id))
    await keep(records, after)
    assert await redis.exists(keys.relayed(after.id))


async def test_frozen_redis_blocks_no_request(
    redis: Redis, records: RelayedRecords, elsewhere: Elsewhere
) -> None:
    await keep(records, uploads(1)[0])
    await redis.client_pause(4000)
    upload = uploads(1)[0]
    await keep(records, upload)
    assert elsewhere.kept == [upload]
    await redis.client_unpause()
