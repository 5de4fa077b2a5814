"""Memory used up: further uploads are told to come back, and those that were let in go on."""

import asyncio

import pytest

from tests.degraded.conftest import PATH, told_to_return
from tests.flows import files
from tests.flows.client import Client
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
