"""When a part is away: what is acknowledged stays so, and clients are told what they can do."""

import asyncio
from pathlib import Path

import pytest

from gateway.stack.part import Part
from gateway.stack.ports import free_port
from gateway.stack.valkey import Valkey
from tests.flows import files
from tests.flows.client import Client
from tests.servers.fixtures import StartGateway
from tests.servers.sandbox import CHANNEL, TOKENS

CHANNEL_PATH = f"/v1/channels/{CHANNEL}/messages"


@pytest.mark.usefixtures("worker", "sandbox")
async def test_without_redis_an_upload_is_still_acknowledged(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    valkey = Valkey(tmp_path / "valkey", free_port())
    with Part(valkey.command(), tmp_path):
        gateway = start_gateway(redis_url=valkey.url, delivery="external")
        async with Client.open(gateway.url, TOKENS["alice"]) as client:
            before = await client.upload("/v1/imports/users", b"[]", name="users.json")
            assert before.status == 202
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        answer = await client.upload(CHANNEL_PATH, files.PNG, headers={"Prefer": "wait=1"})
        assert answer.status == 202, answer.body
        assert (await client.resource(answer.upload_id))["state"] == "stored"
        relayed = await client.upload("/v1/imports/users", b"[]", name="users.json")
        assert relayed.status == 202
        assert (await client.resource(relayed.upload_id))["state"] == "relayed"
        # Only Redis knows of this one: nobody may be told that there is no such upload.
        known = await client.request("GET", f"/gateway/uploads/{before.upload_id}")
        assert known.status == 503
        assert int(known.headers["Retry-After"]) >= 1
        ready = await client.request("GET", "/gateway/readyz")
        assert ready.status == 503
        assert "redis" in ready.json()["faults"]


@pytest.mark.usefixtures("sandbox")
async def test_without_the_store_an_upload_is_refused_for_now(start_gateway: StartGateway) -> None:
    gateway = start_gateway(delivery="external", s3_endpoint_url=f"http://127.0.0.1:{free_port()}")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        answer = await client.upload(CHANNEL_PATH, files.PNG)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await client.request("GET", "/v1/users/1")).status == 200


@pytest.mark.usefixtures("sandbox")
async def test_more_uploads_than_there_is_memory_for_are_told_to_come_back(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(delivery="external", upload_memory="32MiB")
    async with Client.open(gateway.url, TOKENS["alice"]) as client:
        gate = asyncio.Event()

        async def slowly():
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            await gate.wait()
            yield files.PNG + b"\r\n--b--\r\n"

        headers = {"Content-Type": "multipart/form-data; boundary=b", "Prefer": "respond-async"}
        first = asyncio.create_task(
            client.request("POST", CHANNEL_PATH, data=slowly(), headers=headers)
        )
        await asyncio.sleep(0.3)  # the first has to be let in before the second
        second = await client.upload(CHANNEL_PATH, bytes(20_000_000))
        assert second.status == 503
        assert second.json()["type"].endswith("busy")
        gate.set()
        assert (await first).status == 202
