"""`inspect` compares a stored file with what was received, by as few requests as it needs."""

from collections.abc import AsyncIterator

import google_crc32c
import pytest
from msgspec.structs import replace

from gateway.backends import open_backends
from gateway.errors import StoreUnavailable
from gateway.settings import load
from gateway.stack.seaweedfs import SeaweedFS
from gateway.store.s3 import DOCUMENT_LIMIT
from gateway.uploads import keys
from gateway.uploads.record import FILE_CORRUPT, FILE_LOST, State, Upload
from tests.flows import files
from tests.servers.store_proxy import FaultProxy
from tests.workers.test_sweep import stored_upload
from workers.due import Due
from workers.runtime import WorkerServices
from workers.sniff import WHOLE_BYTES, Sniffer
from workers.steps.inspection import inspect

SMALL = files.PNG
LARGE = files.PNG.ljust(WHOLE_BYTES + 1, b"\0")


@pytest.fixture
async def proxy(seaweedfs: SeaweedFS) -> AsyncIterator[FaultProxy]:
    async with FaultProxy.start(seaweedfs.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
async def services(
    environ: dict[str, str], own_redis_url: str, proxy: FaultProxy
) -> AsyncIterator[WorkerServices]:
    """Without ChatKitty, and with a broker that no worker listens to."""
    settings = load(
        {
            **environ,
            "GATEWAY_REDIS_URL": own_redis_url,
            "GATEWAY_S3_ENDPOINT_URL": proxy.url,
            "GATEWAY_UPSTREAM_URL": "http://127.0.0.1:9",
        }
    )
    async with open_backends(settings) as backends, Sniffer.open() as sniffer:
        yield WorkerServices(backends, sniffer, Due(backends.redis, backends.queue))


def received(data: bytes, *, crc32c: bool = True) -> Upload:
    upload = stored_upload()
    digest = google_crc32c.value(data) if crc32c else None
    return upload.with_file(replace(upload.file, size=len(data), crc32c=digest))


async def inspected(upload: Upload, stored: bytes | None, services: WorkerServices) -> Upload:
    """The upload after the inspection of a file that is stored so."""
    if stored is not None:
        await services.backends.store.put(keys.incoming(upload.id), stored)
    await services.backends.ledger.accept(upload)
    await inspect(upload.id, services)
    return await services.backends.ledger.find(upload.id)


@pytest.mark.parametrize("crc32c", [True, False], ids=["checksum", "size only"])
@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
async def test_what_was_received_passes(
    data: bytes, crc32c: bool, services: WorkerServices
) -> None:
    upload = await inspected(received(data, crc32c=crc32c), data, services)
    assert upload.state is State.INSPECTED


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        (SMALL, SMALL[:-1] + b"?"),
        (SMALL, SMALL[:-1]),
        (SMALL, SMALL + b"\0"),
        (SMALL, b""),
        (SMALL, bytes(DOCUMENT_LIMIT + 1)),
        (b"", SMALL),
        (LARGE, LARGE[:-1]),
        (LARGE, SMALL),
    ],
    ids=[
        "another byte",
        "shorter",
        "longer",
        "empty",
        "huge",
        "of nothing",
        "large and shorter",
        "large and small",
    ],
)
async def test_anything_else_is_corrupt(
    data: bytes, stored: bytes, services: WorkerServices
) -> None:
    upload = await inspected(received(data), stored, services)
    assert (upload.state, upload.fault) == (State.FAILED, FILE_CORRUPT)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_a_file_that_is_gone_is_lost(data: bytes, services: WorkerServices) -> None:
    upload = await inspected(received(data), None, services)
    assert (upload.state, upload.fault) == (State.FAILED, FILE_LOST)


async def test_an_answer_that_was_damaged_on_its_way_condemns_no_file(
    services: WorkerServices, proxy: FaultProxy
) -> None:
    upload = received(SMALL)
    await services.backends.store.put(
        keys.incoming(upload.id), SMALL, crc32c=google_crc32c.value(SMALL)
    )
    key = keys.incoming(upload.id).encode()
    answer = proxy.answer(b"^GET .*" + key, _OK, SMALL[:-1] + b"?")
    with pytest.raises(StoreUnavailable):
        await inspected(upload, None, services)
    assert answer.met.is_set()
    assert await services.backends.ledger.find(upload.id) == upload
    proxy.mend()
    await inspect(upload.id, services)
    assert (await services.backends.ledger.find(upload.id)).state is State.INSPECTED


_OK = b'200 OK\r\nETag: "0"\r\nLast-Modified: Sun, 29 Nov 2026 07:00:00 GMT'
