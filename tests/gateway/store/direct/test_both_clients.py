"""The same calls by either client: the store sees the same, and so does the caller.

The clock stands still and ids are counted, so even the signatures must be the same.
"""

import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import google_crc32c
import pytest
import pytest_asyncio
import time_machine

from gateway.choices import S3ClientName
from gateway.errors import GatewayError
from gateway.stack.part import Part
from gateway.stack.ports import free_port
from gateway.stack.seaweedfs import SeaweedFS
from gateway.store import s3
from gateway.store.objects import Document, Multipart, ObjectInfo, Written
from gateway.store.s3 import S3Store
from tests.servers.sqs import SQS
from tests.servers.store_proxy import FaultProxy

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY: Final = bytes(range(256)) * 5
CRC32C: Final = google_crc32c.value(BODY)
OF_ONE_CLIENT: Final = {"amz-sdk-invocation-id", "amz-sdk-request"}
"""botocore counts attempts for AWS."""


@dataclass(frozen=True)
class Server:
    """A store behind a proxy that sees every request, and either client of it."""

    proxy: FaultProxy
    stores: Mapping[S3ClientName, S3Store]


@asynccontextmanager
async def opened(url: str, access_key_id: str, secret_access_key: str) -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(FaultProxy.start(url))
        stores = {
            name: await stack.enter_async_context(
                S3Store.open(
                    endpoint_url=proxy.url,
                    bucket="both-clients",
                    region="us-east-1",
                    access_key_id=access_key_id,
                    secret_access_key=secret_access_key,
                    client_name=name,
                )
            )
            for name in S3ClientName
        }
        for store in stores.values():
            await store.ensure_bucket()
        yield Server(proxy, stores)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def seaweed(seaweedfs: SeaweedFS) -> AsyncIterator[Server]:
    keys = seaweedfs.access_key_id, seaweedfs.secret_access_key
    async with opened(seaweedfs.endpoint_url, *keys) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def moto(servers_dir: Path) -> AsyncIterator[Server]:
    """It is also what plays SQS."""
    process = SQS(free_port())
    with Part(process.command(), servers_dir):
        async with opened(process.endpoint_url, "key", "secret") as server:
            yield server


@pytest.fixture(params=["seaweed", "moto"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture(autouse=True)
def standing_still() -> Iterator[None]:
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


Call = Callable[[S3Store, str], Awaitable[object]]


def put(**options: object) -> Call:
    return lambda store, key: store.put(key, BODY, **options)  # type: ignore[arg-type]


async def _replace(store: S3Store, key: str) -> object:
    return await store.put(key, b"new", if_match=(await store.head(key)).etag)


async def _streamed(store: S3Store, key: str) -> object:
    return b"".join([chunk async for chunk in store.stream(key, 1, 1000)])


def part(crc32c: int) -> Call:
    multipart = Multipart("", "an id/of=nobody", whole_checksum=True)
    return lambda store, key: store.upload_part(
        replace(multipart, key=key), 7, BytesIO(BODY), crc32c
    )


SCENES: Final[Mapping[str, Sequence[Call]]] = {
    "an object": [
        put(crc32c=CRC32C, note="a note"),
        lambda store, key: store.get(key),
        lambda store, key: store.head(key),
        lambda store, key: store.delete(key),
        lambda store, key: store.delete(key),
    ],
    "from a buffer": [lambda store, key: store.put(key, BytesIO(BODY), crc32c=CRC32C)],
    "no object": [
        lambda store, key: store.get(key),
        lambda store, key: store.head(key),
        lambda store, key: store.read_range(key, 0, 1),
        put(if_match='"0123456789abcdef0123456789abcdef"'),
    ],
    "a wrong checksum": [put(crc32c=CRC32C ^ 1), lambda store, key: store.head(key)],
    "conditions": [
        put(if_none_match=True),
        put(if_none_match=True),
        put(if_match='"0123456789abcdef0123456789abcdef"'),
        _replace,
        lambda store, key: store.get(key),
    ],
    "ranges": [
        put(),
        _streamed,
        lambda store, key: store.read_range(key, 0, len(BODY)),
        lambda store, key: store.read_range(key, len(BODY) - 1, 99),
        lambda store, key: store.read_range(key, len(BODY), 1),
        lambda store, key: store.read_range(key, 99_999, 10),
    ],
    "nothing": [
        lambda store, key: store.put(key, b"", crc32c=0),
        lambda store, key: store.read_range(key, 0, 4096),
        lambda store, key: store.get(key),
    ],
    "a part of no upload": [part(CRC32C), part(CRC32C ^ 1)],
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("name", ["plain", "ü %2F+&?#/ '\"=~.txt", "a//b/./c/../d"])
async def test_requests_and_results_are_the_same(
    server: Server, monkeypatch: pytest.MonkeyPatch, scene: str, name: str
) -> None:
    key = f"{uuid.uuid4()}/{name}"
    by_client = {}
    for client in S3ClientName:
        ids = map(str, itertools.count(1))
        monkeypatch.setattr(s3, "uuid", SimpleNamespace(uuid4=partial(next, ids)))
        by_client[client] = await _played(server, client, key, SCENES[scene])
    seen, results = by_client[S3ClientName.DIRECT]
    assert len(seen) >= len(SCENES[scene])
    assert (seen, results) == by_client[S3ClientName.AIOBOTOCORE]


async def _played(
    server: Server, client: S3ClientName, key: str, scene: Sequence[Call]
) -> tuple[list[dict[str, str]], list[object]]:
    """What the store saw, and what the caller got."""
    store = server.stores[client]
    with suppress(GatewayError):  # SeaweedFS refuses keys with dots
        await store.delete(key)
    server.proxy.heads.clear()
    results = [await _result(call(store, key)) for call in scene]
    return [_fields(head) for head in server.proxy.heads], results


async def _result(call: Awaitable[object]) -> object:
    """What does not change with the time of the call."""
    try:
        result = await call
    except GatewayError as error:
        return type(error), str(error)
    match result:
        case Written(etag, _):
            return etag
        case Document(content, etag, _):
            return content, etag
        case ObjectInfo():
            return replace(result, age=0.0)
    return result


def _fields(head: str) -> dict[str, str]:
    first, *lines = head.rstrip().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines if line)
    return {"": first} | {
        name.lower(): value for name, value in fields.items() if name.lower() not in OF_ONE_CLIENT
    }
