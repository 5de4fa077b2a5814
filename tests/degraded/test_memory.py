"""Memory: uploads that hardly come hold little of it, and so do heads without an end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from gateway.stack.seaweedfs import SeaweedFS
from tests.degraded.conftest import PATH
from tests.flows import files
from tests.flows.client import Answer, Client
from tests.flows.raw import FORM_TYPE, form, head
from tests.flows.resuming import begin, patch
from tests.servers.fixtures import StartGateway, open_store
from tests.servers.gateway import Gateway
from tests.servers.zygote import Kind

PATIENCE = 60.0
MIB = 1024**2
CONNECTIONS = 300
UPLOADS = 100
SESSIONS = 40
ASYNC = {"Prefer": "respond-async"}
TOKENS = {name: f"{name}-token-of-ours" for name in ("alice", "bob", "carol")}
HOSTING = {
    "GATEWAY_DELIVERY": "external",
    "GATEWAY_UPLOAD_MEMORY": "32MiB",
    "GATEWAY_AUTH": "static",
    "GATEWAY_AUTH_STATIC_TOKENS": ",".join(map(":".join, TOKENS.items())),
}


@pytest.fixture
async def settings(
    environ: dict[str, str], own_redis_url: str, seaweedfs: SeaweedFS
) -> dict[str, str]:
    """Settings for a gateway whose uploads no worker processes, not even in a later test."""
    bucket = replace(seaweedfs, bucket="memory")
    async with open_store(bucket) as store:
        await store.ensure_bucket()
    return {**environ, **bucket.settings(), **HOSTING, "GATEWAY_REDIS_URL": own_redis_url}


@pytest.fixture
def gateway(settings: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    with Gateway.start(settings, servers_dir) as started:
        yield started


OPENING = head("/v1/users", method="GET")[:-2]
LARGE = b"".join(b"X-%03d: %b\r\n" % (at, b"x" * 7900) for at in range(130))
SMALL = b"".join(b"X-%05d: x\r\n" % at for at in range(80_000))
CHUNKED = head("/v1/users", "Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n"
ENDLESS = {
    "large headers": (OPENING + LARGE)[:MIB],
    "a few headers": (OPENING + LARGE)[:32_000],
    "small headers": OPENING + SMALL,
    "trailers": CHUNKED + SMALL,
}


@pytest.mark.parametrize("endless", ENDLESS)
@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_heads_without_end_cost_little_memory(
    start_gateway: StartGateway, engine: str, endless: str
) -> None:
    gateway = start_gateway(engine=engine)
    process = psutil.Process(gateway.pid)
    address = urlsplit(gateway.url)
    largest = before = process.memory_info().rss

    async def send() -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        with suppress(ConnectionError):
            writer.write(ENDLESS[endless])
            await writer.drain()
        return writer

    writers = []
    for _ in range(CONNECTIONS // 20):
        writers += await asyncio.gather(*(send() for _ in range(20)))
        largest = max(largest, process.memory_info().rss)
    for _ in range(20):  # the last of them are still being read
        await asyncio.sleep(0.05)
        largest = max(largest, process.memory_info().rss)
    for writer in writers:
        writer.transport.abort()
    assert largest - before < 20 * MIB


async def test_slow_uploads_do_not_block_others(gateway: Gateway) -> None:
    address = urlsplit(gateway.url)
    opening = form(b"x")[:-10]

    async def open_slowly(token: str, framing: str) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        authorization = f"Authorization: Bearer {TOKENS[token]}"
        writer.write(head(PATH, authorization, FORM_TYPE, framing, "Expect: 100-continue"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        first = opening if "Length" in framing else b"%x\r\n%b\r\n" % (len(opening), opening)
        writer.write(first)
        return writer

    async with asyncio.timeout(PATIENCE):
        slow = [
            await open_slowly(token, framing)
            for token in ("alice", "bob")
            for framing in ("Transfer-Encoding: chunked", "Content-Length: 1000000000")
            for _ in range(10)
        ]
        async with Client.open(gateway.url, TOKENS["carol"]) as carol:
            for _ in range(5):
                assert (await carol.upload(PATH, files.PNG, headers=ASYNC)).status == 202
            large = await carol.upload(PATH, bytes(20_000_000), headers=ASYNC)
            assert large.status == 202
    for writer in slow:
        writer.transport.abort()


@pytest.mark.parametrize("rate", [3_000, 40_000], ids=["trickling", "dawdling"])
async def test_uploads_that_slow_down_do_not_block_others(gateway: Gateway, rate: int) -> None:
    address = urlsplit(gateway.url)
    opening = form(b"x")[:-10]

    async def dawdle(token: str) -> None:
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            authorization = f"Authorization: Bearer {TOKENS[token]}"
            length = "Content-Length: 1000000000"
            writer.write(head(PATH, authorization, FORM_TYPE, length) + opening + bytes(6 * MIB))
            while True:
                await writer.drain()
                await asyncio.sleep(0.2)
                writer.write(bytes(rate // 5))
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    dawdling = [asyncio.create_task(dawdle(("alice", "bob")[at % 2])) for at in range(12)]
    try:
        await asyncio.sleep(2)  # so that they hold all that they can
        async with asyncio.timeout(PATIENCE), Client.open(gateway.url, TOKENS["carol"]) as carol:
            large = await carol.upload(PATH, bytes(20 * MIB), headers=ASYNC)
            assert large.status == 202, large.body
    finally:
        for task in dawdling:
            task.cancel()
        await asyncio.gather(*dawdling, return_exceptions=True)


@pytest.fixture
def frugal(settings: dict[str, str], servers_dir: Path) -> Iterator[Gateway]:
    """A gateway whose allocator returns large blocks at once: its resident memory is in use."""
    kind = Kind(environ=(("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "65536")))
    with Gateway.start(settings, servers_dir, kind) as gateway:
        yield gateway


async def test_a_hundred_uploads_at_once_hold_no_more_than_they_may(frugal: Gateway) -> None:
    gateway = frugal
    process = psutil.Process(gateway.pid)
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        assert (await client.upload(PATH, bytes(20 * MIB), headers=ASYNC)).status == 202
    before = largest = process.memory_info().rss

    async def upload(token: str) -> Answer:
        async with Client.open(gateway.url, TOKENS[token]) as client:
            return await client.request(
                "POST", PATH, data=_file(3 * MIB), headers={**ASYNC, "Content-Type": FORM_TYPE[14:]}
            )

    tokens = ("alice", "bob", "carol")
    tasks = [asyncio.create_task(upload(tokens[at % 3])) for at in range(UPLOADS)]
    async with asyncio.timeout(PATIENCE):
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0.05)
            largest = max(largest, process.memory_info().rss)
    statuses = [task.result().status for task in tasks]
    assert set(statuses) <= {202, 503}
    assert statuses.count(202) > UPLOADS / 4
    # As much again may be read already by uploads that wait; the rest is connections.
    assert largest - before < 2 * 32 * MIB + UPLOADS * MIB // 2


async def test_sessions_that_end_together_hold_no_more_than_they_may(
    gateway: Gateway,
) -> None:
    process = psutil.Process(gateway.pid)
    size = 7 * MIB  # not yet a part: at the end all of it is read again

    async def brought(client: Client) -> str:
        url = (await begin(client, ASYNC)).headers["Location"]
        assert (await patch(client, url, 0, bytes(size), last=False)).status == 204
        return url

    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        urls = [await brought(client) for _ in range(SESSIONS)]
        before = largest = process.memory_info().rss
        tasks = [asyncio.create_task(patch(client, url, size, b"", last=True)) for url in urls]
        async with asyncio.timeout(PATIENCE):
            while not all(task.done() for task in tasks):
                await asyncio.sleep(0.02)
                largest = max(largest, process.memory_info().rss)
    assert {task.result().status for task in tasks} == {202}
    # As much again is held while the chunks of an answer become one; the rest is connections.
    assert largest - before < 2 * 32 * MIB + SESSIONS * MIB // 2


async def _file(size: int) -> AsyncIterator[bytes]:
    start, _, end = form(b"\0").partition(b"\0")
    yield start
    for _ in range(0, size, 64 * 1024):
        yield bytes(64 * 1024)
        await asyncio.sleep(0.01)
    yield end
