"""A gateway that is asked to stop: requests in progress succeed, and no new ones begin."""

import asyncio
import os
import signal

import pytest

from gateway.stack.probes import answers
from gateway.store.s3 import S3Store
from tests.flows import raw
from tests.flows.parts import until_stored
from tests.servers.fixtures import StartGateway
from tests.servers.gateway import Gateway
from tests.servers.sandbox import CHANNEL, TOKENS

PATH = f"/v1/channels/{CHANNEL}/messages"
FORM = raw.form(b"x" * 100_000)
LARGE = raw.form(b"x" * 20_000_000)
HALF = 18_000_000
PARTS = 2
"""Whole parts of 8 MiB in that half."""
ENGINES = pytest.mark.parametrize("engine", ["fast", "plain"])


def _head(length: int) -> bytes:
    token = f"Authorization: Bearer {TOKENS['alice']}"
    return raw.head(PATH, token, raw.FORM_TYPE, f"Content-Length: {length}")


async def _connect(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", gateway.port)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    )
    await reader.readexactly(length)
    return head


async def _until_logged(gateway: Gateway, word: str) -> None:
    async with asyncio.timeout(20):
        while word not in gateway.log.read_text():
            await asyncio.sleep(0.02)


async def _until_closed(gateway: Gateway) -> None:
    async with asyncio.timeout(20):
        while answers(f"{gateway.url}/gateway/healthz"):
            await asyncio.sleep(0.02)


@ENGINES
@pytest.mark.usefixtures("everything")
async def test_an_upload_in_progress_is_finished_and_its_connection_closed(
    start_gateway: StartGateway, engine: str
) -> None:
    gateway = start_gateway(engine=engine, delivery="relay")
    reader, writer = await _connect(gateway)
    writer.write(_head(len(FORM)) + FORM)
    assert b" 200 " in await _answer(reader)  # from now on the token is known
    writer.write(_head(len(FORM)) + FORM[:50_000])
    await writer.drain()
    os.kill(gateway.pid, signal.SIGTERM)
    await _until_closed(gateway)
    writer.write(FORM[50_000:])
    answer = await _answer(reader)
    assert b" 200 " in answer
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert await reader.read() == b""
    await _until_logged(gateway, "gateway.drained")
    writer.close()


async def test_readiness_fails_before_the_socket_closes(start_gateway: StartGateway) -> None:
    gateway = start_gateway(drain_delay="300")
    os.kill(gateway.pid, signal.SIGTERM)
    async with asyncio.timeout(20):
        while answers(f"{gateway.url}/gateway/readyz", below=300):
            await asyncio.sleep(0.02)
    assert answers(f"{gateway.url}/gateway/healthz", below=300)
    os.kill(gateway.pid, signal.SIGTERM)  # which ends the delay
    await _until_closed(gateway)


async def test_an_idle_connection_is_closed(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    reader, writer = await _connect(gateway)
    writer.write(raw.head("/gateway/healthz", method="GET"))
    assert b" 200 " in await _answer(reader)
    os.kill(gateway.pid, signal.SIGTERM)
    assert await reader.read() == b""
    writer.close()


@pytest.mark.slow
@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("hastened", [True, False])
async def test_a_hosted_upload_that_is_cut_leaves_nothing_in_the_store(
    start_gateway: StartGateway, store: S3Store, hastened: bool
) -> None:
    gateway = start_gateway(delivery="external", drain_timeout="300" if hastened else "1")
    reader, writer = await _connect(gateway)
    before = {one.key async for one in store.list_multipart_uploads("incoming/")}
    writer.write(_head(len(LARGE)) + LARGE[:HALF])
    await writer.drain()
    await until_stored(store, PARTS, but=before)
    os.kill(gateway.pid, signal.SIGTERM)
    await _until_closed(gateway)
    if hastened:
        os.kill(gateway.pid, signal.SIGTERM)
    await reader.read()
    writer.close()
    async with asyncio.timeout(20):
        while {one.key async for one in store.list_multipart_uploads("incoming/")} - before:
            await asyncio.sleep(0.05)
