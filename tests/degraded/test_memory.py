"""Memory used up: further uploads are told to come back, and those that were let in go on."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

import psutil
import pytest

from tests.degraded.conftest import PATH, told_to_return
from tests.flows import files
from tests.flows.client import Client
from tests.flows.raw import head
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import TOKENS


@pytest.mark.usefixtures("sandbox")
async def test_more_uploads_than_there_is_memory_for_are_told_to_come_back(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(delivery="external", upload_memory="32MiB")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        admitted, gate = asyncio.Event(), asyncio.Event()

        async def slowly():
            admitted.set()
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            await gate.wait()
            yield files.PNG + b"\r\n--b--\r\n"

        headers = {"Content-Type": "multipart/form-data; boundary=b", "Prefer": "respond-async"}
        first = asyncio.create_task(
            client.request("POST", PATH, data=slowly(), headers=headers, expect100=True)
        )
        await admitted.wait()  # its body is sent once the gateway has said to go on
        second = await client.upload(PATH, bytes(20_000_000))
        assert told_to_return(second, "busy")
        gate.set()
        assert (await first).status == 202


MIB = 1024**2
CONNECTIONS = 300


@pytest.mark.parametrize("size", [1024 * 1024, 32_000])
@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_heads_without_end_cost_little_memory(
    start_gateway: StartGateway, engine: str, size: int
) -> None:
    gateway = start_gateway(engine=engine)
    process = psutil.Process(gateway.pid)
    address = urlsplit(gateway.url)
    largest = before = process.memory_info().rss

    async def send() -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        unfinished = head("/v1/users", method="GET")[:-2]
        unfinished += b"".join(b"X-%03d: %b\r\n" % (at, b"x" * 7900) for at in range(130))
        with suppress(ConnectionError):
            writer.write(unfinished[:size])
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
