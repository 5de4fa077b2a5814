"""Sessions that end at the same time share little of a worker's memory."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from gateway.backends import Backends, open_backends
from gateway.resumable.appending import Appender
from gateway.resumable.finishing import completed, described
from gateway.resumable.session import Session
from gateway.resumable.sessions import Sessions
from gateway.settings import load
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from tests.gateway.resumable.test_appending import Room
from tests.gateway.resumable.test_session import SESSION, UPLOAD
from workers.due import Due
from workers.runtime import WorkerServices
from workers.sniff import Sniffer
from workers.steps.resumption import resume

MIB = 1024**2
SIZE = 7 * MIB
SESSIONS = 16


@pytest.fixture
async def services(environ: dict[str, str], own_redis_url: str) -> AsyncIterator[WorkerServices]:
    own = {"GATEWAY_REDIS_URL": own_redis_url, "GATEWAY_BROKER_URL": own_redis_url}
    async with open_backends(load(environ | own)) as backends, Sniffer.open() as sniffer:
        yield WorkerServices(backends, sniffer, Due(backends.redis, backends.queue))


async def complete(backends: Backends) -> str:
    """A session with all of its bytes, as its gateway leaves it if it dies then."""
    sessions = Sessions(backends.store)
    upload = replace(UPLOAD, id=new_id())
    kept = await sessions.create(replace(SESSION, upload=upload, length=SIZE))
    appender = Appender(backends.store, sessions, kept, Room())
    await appender.write(bytes(SIZE))

    def conclude(session: Session) -> Session:
        return completed(session, described(session), backends, datetime.now(UTC))

    await appender.commit(conclude)
    return upload.id


@pytest.mark.slow
async def test_few_of_many_sessions_are_in_memory_at_a_time(services: WorkerServices) -> None:
    backends = services.backends
    ids = [await complete(backends) for _ in range(SESSIONS)]
    tracemalloc.start()
    try:
        await asyncio.gather(*(resume(upload_id, services) for upload_id in ids))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for upload_id in ids:
        assert (await backends.store.head(keys.incoming(upload_id))).size == SIZE
    # Each is held twice while the chunks of the store's answer become one.
    assert most < 5 * 2 * SIZE
