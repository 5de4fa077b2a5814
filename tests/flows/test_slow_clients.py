"""Clients that are slow, silent or do not read are cut off; those that wait for others are not."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.flows.client import Client
from tests.flows.raw import FORM_TYPE, form, head
from tests.programs import need
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS, Sandbox
from tests.servers.zygote import ForkedPart

pytestmark = pytest.mark.slow

PATIENCE = 20.0
PATH = f"/v1/channels/{CHANNEL}/messages"
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"
LOOK = head("/gateway/healthz", method="GET")
MIB = 1024**2

IMPATIENT = {
    "GATEWAY_HEAD_TIMEOUT": "2",
    "GATEWAY_IDLE_TIMEOUT": "2",
    "GATEWAY_ANSWER_TIMEOUT": "1",
    "GATEWAY_BODY_MIN_RATE": "4MiB",
    "GATEWAY_BODY_RATE_PERIOD": "0.6",
    "GATEWAY_MAX_FILE_SIZE": "17MiB",
}
KINDS = {
    "fast": {"GATEWAY_DELIVERY": "relay"},
    "plain": {"GATEWAY_DELIVERY": "relay", "GATEWAY_ENGINE": "plain"},
    "external": {"GATEWAY_DELIVERY": "external"},
}


@pytest.fixture(scope="module", params=KINDS)
def gateway(
    request: pytest.FixtureRequest, environ: dict[str, str], servers_dir: Path, worker: ForkedPart
) -> Iterator[Gateway]:
    """A gateway with short time-outs that has seen the token."""
    assert worker.exit_status is None
    with Gateway.start({**environ, **IMPATIENT, **KINDS[request.param]}, servers_dir) as started:
        asyncio.run(_upload_quickly(started.url))
        yield started


async def _upload_quickly(url: str) -> None:
    async with Client.open(url, TOKENS["alice"]) as client:
        assert (await client.upload(PATH, b"quick")).status in (200, 202)


@asynccontextmanager
async def connection(
    gateway: Gateway,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    address = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
    finally:
        writer.transport.abort()


async def dribble(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Send the piece again and again, until the peer closes."""
    with suppress(ConnectionError):
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)


@asynccontextmanager
async def dribbling(writer: asyncio.StreamWriter, piece: bytes) -> AsyncIterator[None]:
    task = asyncio.create_task(dribble(writer, piece))
    try:
        yield
    finally:
        task.cancel()


async def test_an_unfinished_head_is_answered_408(gateway: Gateway) -> None:
    async with connection(gateway) as (reader, writer):
        writer.write(LOOK[:-2])
        async with dribbling(writer, b"X: x\r\n"):
            answer = await reader.read()  # to its end: later bytes cause no reset
    assert b" 408 " in answer.partition(b"\r\n")[0]
    assert b"head-timeout" in answer


async def test_a_slow_head_after_a_quick_one_is_answered_408(gateway: Gateway) -> None:
    async with connection(gateway) as (reader, writer):
        writer.write(LOOK)
        assert b" 200 " in await reader.readuntil(b"}")
        writer.write(LOOK[:-2])
        assert b" 408 " in await reader.read()


async def test_a_silent_client_is_disconnected_without_an_answer(gateway: Gateway) -> None:
    async with connection(gateway) as (reader, _):
        assert await reader.read() == b""


async def test_an_idle_connection_is_closed_after_its_time_out(gateway: Gateway) -> None:
    async with connection(gateway) as (reader, writer):
        for _ in range(8):
            await asyncio.sleep(0.5)  # twice as long in all as it may rest
            writer.write(LOOK)
            assert b" 200 " in await reader.readuntil(b"}")
        body = form(b"between two rests")
        length = f"Content-Length: {len(body)}"
        writer.write(head(PATH, AUTHORIZATION, FORM_TYPE, length, "Prefer: wait=0") + body)
        assert b"HTTP/1.1 20" in await reader.readuntil(b"\r\n\r\n")
        await reader.read()  # ends, since the connection does


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_body_that_arrives_too_slowly_is_answered_408(
    gateway: Gateway, sandbox: Sandbox, framing: str
) -> None:
    before = await sandbox.messages()
    opening = form(b"x")[:-10]
    if framing == "length":
        piece = b"x" * 100
        start = head(PATH, AUTHORIZATION, FORM_TYPE, "Content-Length: 1000000") + opening
    else:
        piece = b"64\r\n" + b"x" * 100 + b"\r\n"
        start = head(PATH, AUTHORIZATION, FORM_TYPE, "Transfer-Encoding: chunked")
        start += b"%x\r\n%b\r\n" % (len(opening), opening)
    async with connection(gateway) as (reader, writer):
        writer.write(start)
        async with dribbling(writer, piece):
            answer = await reader.readuntil(b'"timestamp"')
            with suppress(ConnectionError):
                await reader.read()  # ends, since the connection does
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in answer
    assert b"body-timeout" in answer
    assert b"slowly" in answer
    assert await sandbox.messages() == before


async def test_a_request_that_is_no_upload_has_the_same_minimum_rate(gateway: Gateway) -> None:
    async with connection(gateway) as (reader, writer):
        writer.write(head("/v1/users", AUTHORIZATION, "Content-Length: 1000000"))
        async with dribbling(writer, b"x" * 100):
            assert b" 408 " in await reader.readuntil(b"\r\n")


@pytest.mark.parametrize("gateway", [kind for kind in KINDS if kind != "external"], indirect=True)
async def test_waiting_for_the_upstream_is_not_the_clients_slowness(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    await sandbox.fault("POST", PATH, read_rate=3 * MIB)  # less than the client is to send
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        assert (await client.upload(PATH, bytes(16 * MIB))).status == 200


async def test_a_client_that_does_not_read_its_answer_is_cut_off(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    async with Client.open(sandbox.url, TOKENS["alice"]) as upstream:
        kept = (await upstream.upload(PATH, bytes(24 * MIB))).json()
    path = urlsplit(kept["file"]["url"]).path
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((urlsplit(gateway.url).hostname, gateway.port))
        deaf.sendall(head(path, AUTHORIZATION, method="GET"))
        async with asyncio.timeout(PATIENCE):
            while b"did not read its answer" not in gateway.log.read_bytes():
                await asyncio.sleep(0.05)
        deaf.settimeout(PATIENCE)
        received = await asyncio.to_thread(_receive_all, deaf)
    assert received < 24 * MIB


def _receive_all(connection: socket.socket) -> int:
    received = 0
    with suppress(ConnectionError):
        while data := connection.recv(MIB):
            received += len(data)
    return received


@pytest.mark.parametrize("size", [1, 12 * MIB])
async def test_the_refusal_of_a_body_that_is_too_large_can_be_read_after_all_of_it_was_sent(
    gateway: Gateway, size: int
) -> None:
    body = form(bytes(18 * MIB + size))
    by_length = head(PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(body)}") + body
    by_count = head(PATH, AUTHORIZATION, FORM_TYPE, "Transfer-Encoding: chunked")
    by_count += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    for request in (by_length, by_count):
        answer = await asyncio.to_thread(_send_then_read, gateway, request)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"file-too-large" in answer


def _send_then_read(gateway: Gateway, request: bytes) -> bytes:
    address = (str(urlsplit(gateway.url).hostname), gateway.port)
    with socket.create_connection(address, PATIENCE) as connection:
        connection.sendall(request)
        answer = b""
        while b'"timestamp"' not in answer:
            data = connection.recv(65_536)
            assert data, answer
            answer += data
        return answer


AIOHTTP = """
import asyncio, sys, aiohttp

async def main(url, authorization, large, chunked):
    data = aiohttp.FormData()
    data.add_field("file", open(large, "rb"), filename="large.bin")
    headers = {"Authorization": authorization}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.post(url, data=data, chunked=chunked or None) as refusal:
            print(await refusal.text())

asyncio.run(main(*sys.argv[1:4], sys.argv[4] == "True"))
"""


@pytest.mark.parametrize("chunked", [False, True])
async def test_common_clients_read_a_refusal_in_mid_body(
    gateway: Gateway, tmp_path: Path, chunked: bool
) -> None:
    need("curl", packages="curl")
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(100 * MIB))  # more than passes of a body
    url, authorization = gateway.url + PATH, AUTHORIZATION.removeprefix("Authorization: ")
    options = ["-H", "Transfer-Encoding: chunked"] if chunked else []
    form_of = ["-F", f"file=@{large}", "-H", AUTHORIZATION, "-H", "Expect:"]
    assert "file-too-large" in await _said("curl", "-sS", *options, *form_of, url)
    script = [sys.executable, "-c", AIOHTTP, url, authorization, str(large), str(chunked)]
    assert "file-too-large" in await _said(*script)


async def _said(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return said.decode()


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (b"GET / HTTP/1.1\r\n no header\r\n\r\n", b"400"),
        (b"GET * HTTP/1.1\r\nHost: gateway\r\n\r\n", b"400"),
        (b"POST / HTTP/2.0\r\nHost: gateway\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"X: %b\r\n" % (b"x" * 4000) * 9, b"431"),
    ],
    ids=["no-header", "target", "version", "large"],
)
async def test_a_client_that_keeps_sending_reads_why_its_head_was_refused(
    gateway: Gateway, refused: bytes, status: bytes
) -> None:
    async with connection(gateway) as (reader, writer):
        writer.write(refused)
        async with dribbling(writer, bytes(100_000)):
            answer = await reader.read()
    assert answer.split(b" ", 2)[1] == status
    assert b"application/problem+json" in answer


async def test_a_body_that_was_too_slow_is_read_on_until_its_answer_is_read(
    gateway: Gateway,
) -> None:
    async with connection(gateway) as (reader, writer):
        begun = form(b"")[:-20]
        writer.write(head(PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {MIB}") + begun)
        async with dribbling(writer, b"x"):
            answer = await reader.read()
    assert answer.split(b" ", 2)[1] == b"408"
    assert b"application/problem+json" in answer
