"""More uploads and connections than a process may have: the excess is refused, others continue."""

import asyncio
import resource
import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import psutil
import pytest

from tests.flows.raw import FORM_TYPE, exchange, form, head
from tests.flows.test_early_refusals import refusing
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox
from tests.servers.zygote import ForkedPart

pytestmark = pytest.mark.slow

PATIENCE = 20.0
PATH = f"/v1/channels/{CHANNEL}/messages"
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"
BODY = form(b"crowded")
WHOLE = head(PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(BODY)}") + BODY
AWAITS = head(PATH, AUTHORIZATION, FORM_TYPE, "Content-Length: 1000", "Expect: 100-continue")
LOOK = head("/gateway/healthz", method="GET")


@pytest.mark.parametrize("delivery", ["relay", "external"])
@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_an_upload_above_the_limit_is_refused_before_its_body(
    start_gateway: StartGateway, sandbox: Sandbox, worker: ForkedPart, delivery: str, engine: str
) -> None:
    assert worker.exit_status is None
    gateway = start_gateway(max_open_uploads="2", delivery=delivery, engine=engine)
    open_uploads = [await _open(gateway) for _ in range(2)]
    before = await sandbox.messages()
    refused = await exchange(gateway.url, AWAITS, until=b'"timestamp"')
    assert refused.status == 503
    assert b"100 Continue" not in refused.data
    assert b"Retry-After: " in refused.data
    assert b"busy" in refused.body
    key = f'Idempotency-Key: "crowded-{delivery}-{engine}"\r\n\r\n'.encode()
    keyed = AWAITS[:-2] + key
    assert (await exchange(gateway.url, keyed, until=b'"timestamp"')).status == 503
    assert (await exchange(gateway.url, LOOK, until=b"}")).status == 200
    assert await sandbox.messages() == before
    for upload in open_uploads:
        upload.transport.abort()
    async with asyncio.timeout(PATIENCE):
        # The key of the refused upload is free again, as are the places.
        again = WHOLE.replace(b"\r\n\r\n", b"\r\n" + key, 1)
        for request in (WHOLE, again):
            while (await exchange(gateway.url, request, until=b"\r\n\r\n")).status == 503:
                await asyncio.sleep(0.05)


async def _open(gateway: Gateway, request: bytes = AWAITS) -> asyncio.StreamWriter:
    """A request, if nothing else is said an upload, before the first byte of its body."""
    reader, writer = await asyncio.open_connection(urlsplit(gateway.url).hostname, gateway.port)
    writer.write(request)
    async with asyncio.timeout(PATIENCE):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    return writer


@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_other_bodies_have_as_many_places_and_take_none_from_uploads(
    start_gateway: StartGateway, engine: str
) -> None:
    gateway = start_gateway(max_open_uploads="2", engine=engine)
    body = head("/v1/users", AUTHORIZATION, "Content-Length: 1000", "Expect: 100-continue")
    passing = [await _open(gateway, body) for _ in range(2)]
    refused = await exchange(gateway.url, body, until=b'"timestamp"')
    assert refused.status == 503
    assert b"100 Continue" not in refused.data
    assert (await exchange(gateway.url, WHOLE, until=b"\r\n\r\n")).status == 200
    bodiless = head("/v1/users", AUTHORIZATION, method="GET")
    assert (await exchange(gateway.url, bodiless, until=b"\r\n\r\n")).status != 503
    for writer in passing:
        writer.transport.abort()
    async with asyncio.timeout(PATIENCE):
        while (await exchange(gateway.url, body, until=b"\r\n\r\n")).status == 503:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_a_new_client_gets_in_while_others_only_wait(
    start_gateway: StartGateway, engine: str
) -> None:
    gateway = start_gateway(max_connections="4", engine=engine)
    address = urlsplit(gateway.url)
    silent = [await asyncio.open_connection(address.hostname, address.port) for _ in range(9)]
    silent[-1][1].write(LOOK[:-2])  # half a head is no request either
    async with asyncio.timeout(PATIENCE):
        for reader, _ in silent[:3]:
            assert await reader.read() == b""
    assert (await exchange(gateway.url, LOOK, until=b"}")).status == 200
    for _, writer in silent:
        writer.transport.abort()
    uploads = [await _open(gateway) for _ in range(4)]
    refused = await exchange(gateway.url)
    assert refused.status == 503
    assert refused.closed
    assert b"Retry-After: " in refused.data
    assert b"busy" in refused.body
    assert gateway.log.read_bytes().count(b"gateway.crowded") == 1
    for writer in uploads:
        writer.transport.abort()
    async with asyncio.timeout(PATIENCE):
        while (await exchange(gateway.url, LOOK, until=b"}")).status != 200:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "answered",
    [
        b"no request\r\n\r\n",
        head("/", f"X: {'x' * 40_000}", method="GET"),
        head("/gateway/healthz", "Content-Length: 1000", method="GET"),
        head(PATH, FORM_TYPE, "Content-Length: 1000"),
        head(PATH, AUTHORIZATION, FORM_TYPE, "Content-Length: 90000") + form(bytes(20_000))[:-6],
    ],
    ids=["unreadable", "too large", "own path", "no token", "upload"],
)
@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_answered_client_that_sends_no_rest_is_disconnected(
    start_gateway: StartGateway, engine: str, answered: bytes
) -> None:
    with refusing(None) as upstream:
        gateway = start_gateway(max_connections="4", engine=engine, upstream_url=upstream.url)
        crowd = []
        for _ in range(4):
            address = urlsplit(gateway.url)
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(answered)
            async with asyncio.timeout(PATIENCE):
                await reader.readuntil(b"\r\n\r\n")
            crowd.append(writer)
        assert (await exchange(gateway.url, LOOK, until=b"}")).status == 200
        for writer in crowd:
            writer.transport.abort()


async def test_one_address_has_as_many_connections_as_it_may(start_gateway: StartGateway) -> None:
    gateway = start_gateway(max_connections_per_address="2")
    uploads = [await _open(gateway) for _ in range(2)]
    assert (await exchange(gateway.url)).status == 503
    for writer in uploads:
        writer.transport.abort()
    trusting = start_gateway(max_connections_per_address="1", trusted_proxies="127.0.0.0/8")
    others = [await _open(trusting) for _ in range(3)]
    assert (await exchange(trusting.url, LOOK, until=b"}")).status == 200
    for writer in others:
        writer.transport.abort()


@pytest.mark.slow
async def test_a_process_without_descriptors_logs_rarely_and_recovers(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway()
    assert (await exchange(gateway.url, WHOLE, until=b"\r\n\r\n")).status == 200
    opened = psutil.Process(gateway.pid).num_fds()
    hard = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (opened + 8, hard))
    address = (str(urlsplit(gateway.url).hostname), gateway.port)
    with ExitStack() as crowd:
        for _ in range(30):
            crowd.enter_context(socket.create_connection(address, PATIENCE))
        async with asyncio.timeout(PATIENCE):
            while b"gateway.cannot_accept" not in gateway.log.read_bytes():
                await asyncio.sleep(0.05)
        await asyncio.sleep(2.5)  # it tries again in the meantime, more than once
    assert (await exchange(gateway.url, WHOLE, until=b"\r\n\r\n")).status == 200
    said = gateway.log.read_bytes()
    assert said.count(b"gateway.cannot_accept") == 1
    assert b"Traceback" not in said


@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_a_relay_without_a_free_descriptor_gets_503_with_retry_after(
    start_gateway: StartGateway, engine: str
) -> None:
    gateway = start_gateway(engine=engine, delivery="relay")
    before = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
    address = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(LOOK)
    async with asyncio.timeout(PATIENCE):
        await reader.readuntil(b"}")
        # Not "as many as are open": a thread of the gateway may close one at the same time.
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (0, before[1]))
        writer.write(WHOLE)
        answer = await reader.readuntil(b"}")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"chatkitty-gateway:busy" in answer
    assert b"Retry-After: " in answer
    resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, before)
    assert (await exchange(gateway.url, WHOLE, until=b"\r\n\r\n")).status == 200
    assert gateway.log.read_bytes().count(b"gateway.out_of_descriptors") == 1
    writer.transport.abort()
