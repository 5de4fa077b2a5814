"""The store down, refusing, slow or full: hosted uploads get a 503, relays continue."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from gateway.errors import StoreUnavailable
from gateway.stack.part import Command
from gateway.stack.ports import HOST, free_port
from gateway.stack.seaweedfs import SeaweedFS
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from tests.degraded.conftest import (
    IMPORTS,
    PATH,
    RESPOND_ASYNC,
    Scene,
    Server,
    eventually,
    told_to_return,
    told_unready,
)
from tests.flows import files
from tests.flows.client import PATIENCE, Client
from tests.servers.fixtures import open_store
from tests.servers.store_proxy import Fault, FaultProxy

CLIENTS_PATIENCE = 45.0
"""Half as long again as clients wait, for a busy machine."""

ANY = rb"^\S+ /degraded-"
A_FILE = rb"^PUT \S+/incoming/"


@pytest.fixture
async def proxy(seaweedfs: SeaweedFS) -> AsyncIterator[FaultProxy]:
    async with FaultProxy.start(seaweedfs.endpoint_url) as proxy:
        yield proxy


async def _relays_go_on(client: Client) -> None:
    relayed = await client.upload(IMPORTS, b"[]", name="users.json")
    assert relayed.status == 202, relayed.body
    assert (await client.resource(relayed.upload_id))["state"] == "relayed"


async def _is_refused(client: Client) -> bool:
    refused = await client.upload(PATH, files.PNG, headers=RESPOND_ASYNC)
    return told_to_return(refused, "store-unavailable")


async def _is_taken(client: Client) -> bool:
    return (await client.upload(PATH, files.PNG, headers=RESPOND_ASYNC)).status == 202


async def test_an_upload_to_an_unavailable_store_gets_503_with_retry_after(
    scene: Scene, seaweedfs: SeaweedFS
) -> None:
    port = free_port()
    gateway = scene.start_gateway(s3_endpoint_url=f"http://{HOST}:{port}")
    async with scene.alice(gateway) as client:
        assert await _is_refused(client)
        await _relays_go_on(client)
        headers = {"Idempotency-Key": str(uuid4())}
        with_key = await client.upload(IMPORTS, b"[]", name="users.json", headers=headers)
        assert told_to_return(with_key, "store-unavailable")
        async with FaultProxy.start(seaweedfs.endpoint_url, port):
            assert await _is_taken(client)
            again = await client.upload(IMPORTS, b"[]", name="users.json", headers=headers)
            assert again.status == 202


async def test_an_upload_to_a_store_that_says_slow_down_gets_503(
    scene: Scene, proxy: FaultProxy
) -> None:
    gateway = scene.start_gateway(s3_endpoint_url=proxy.url)
    async with scene.alice(gateway) as client:
        proxy.fail(ANY, Fault.SLOW_DOWN)
        assert await _is_refused(client)
        await _relays_go_on(client)
        proxy.mend()
        assert await _is_taken(client)


async def test_a_step_is_postponed_while_the_store_is_down(scene: Scene, proxy: FaultProxy) -> None:
    gateway = scene.start_gateway()
    scene.start_worker(GATEWAY_S3_ENDPOINT_URL=proxy.url)
    proxy.fail(ANY, Fault.SLOW_DOWN)
    async with scene.alice(gateway) as client:
        answer = await client.upload(PATH, files.PNG, name=scene.name, headers=RESPOND_ASYNC)
        assert answer.status == 202

        async def is_put_off() -> bool:
            name = f"{Step.RESUME}:{answer.upload_id}"
            return await scene.backends.redis.zscore(keys.DUE, name) is not None

        await eventually(is_put_off)
        assert (await client.resource(answer.upload_id))["state"] == "stored"
        proxy.mend()
        await scene.sweep()  # which comes sooner than the step by itself
        assert await scene.is_registered_once(client, answer)


async def test_a_slow_store_delays_uploads_but_fails_none(scene: Scene, proxy: FaultProxy) -> None:
    gateway = scene.start_gateway(s3_endpoint_url=proxy.url, upload_memory="32MiB")
    slow = proxy.fail(A_FILE, Fault.SLOW)
    large = files.PNG.ljust(30_000_000, b"\0")
    async with scene.alice(gateway) as client, asyncio.TaskGroup() as group:
        uploads = [
            group.create_task(client.upload(PATH, large, headers=RESPOND_ASYNC)) for _ in range(2)
        ]
        async with asyncio.timeout(PATIENCE):
            await slow.met.wait()
        await _relays_go_on(client)
        assert not any(upload.done() for upload in uploads)
        proxy.mend()
        assert [(await upload).status for upload in uploads] == [202, 202]


async def test_an_upload_to_a_frozen_store_gets_its_answer_in_time(
    scene: Scene, proxy: FaultProxy
) -> None:
    gateway = scene.start_gateway(s3_endpoint_url=proxy.url)
    async with scene.alice(gateway) as client:
        known = await client.upload(PATH, files.PNG, headers=RESPOND_ASYNC)
        assert known.status == 202
        url = (await scene.backends.ledger.find(known.upload_id)).url
        proxy.fail(ANY, Fault.HOLD)
        started = time.monotonic()
        answers = await asyncio.gather(
            client.upload(PATH, files.PNG, headers=RESPOND_ASYNC),
            client.upload(PATH, files.PNG.ljust(9_000_000, b"\0"), headers=RESPOND_ASYNC),
            client.upload(PATH, files.PNG, headers=RESPOND_ASYNC | _key()),
            client.upload(IMPORTS, b"[]", name="users.json", headers=_key()),
            client.request("GET", f"/gateway/uploads/{known.upload_id}"),
            client.request("GET", urlsplit(url or "").path),
        )
        assert time.monotonic() - started < CLIENTS_PATIENCE
    for answer in answers:
        assert told_to_return(answer, "store-unavailable"), answer.body


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


@pytest.mark.parametrize("answers", ["as if it had heeded them", "not implemented"])
async def test_a_store_that_ignores_conditions_gets_no_conditional_writes(
    scene: Scene, proxy: FaultProxy, answers: str
) -> None:
    proxy.heedless = answers != "not implemented"
    proxy.ignorant = not proxy.heedless
    gateway = scene.start_gateway(s3_endpoint_url=proxy.url)
    async with scene.alice(gateway) as client:
        assert await _is_refused(client)
        keyed = await client.upload(IMPORTS, b"[]", name="users.json", headers=_key())
        assert told_to_return(keyed, "store-unavailable")
        await _relays_go_on(client)
        await told_unready(client, gateway, "store")
    assert b"store.unfit" in gateway.log.read_bytes()
    assert [info.key async for info in scene.backends.store.list(keys.INCOMING)] == []
    assert [info.key async for info in scene.backends.store.list("doctor/")] == []


async def test_a_store_that_was_down_is_checked_before_it_gets_an_upload(
    scene: Scene, seaweedfs: SeaweedFS
) -> None:
    port = free_port()
    gateway = scene.start_gateway(s3_endpoint_url=f"http://{HOST}:{port}")
    async with scene.alice(gateway) as client:
        assert await _is_refused(client)
        async with FaultProxy.start(seaweedfs.endpoint_url, port) as proxy:
            proxy.heedless = True
            assert await _is_refused(client)
    assert b"store.unfit" in gateway.log.read_bytes()


@dataclass
class Disk:
    """A SeaweedFS of the test's own, and whether its disk is small."""

    seaweedfs: SeaweedFS
    small: bool = True

    def command(self) -> Command:
        command = self.seaweedfs.command()
        limits = ("-volume.max=1", "-master.volumeSizeLimitMB=1") if self.small else ()
        return replace(command, argv=[*command.argv, *limits])

    async def fill(self) -> None:
        """Write until the store accepts nothing more."""
        async with open_store(self.seaweedfs) as store, asyncio.timeout(PATIENCE):
            while True:
                try:
                    await store.put(str(uuid4()), bytes(600_000))
                except StoreUnavailable:
                    return


@pytest.fixture
def disk(tmp_path: Path, own_environ: dict[str, str]) -> Disk:
    disk = Disk(SeaweedFS(tmp_path / "s3", free_port(), "own-key", "own-secret"))
    own_environ.update(disk.seaweedfs.settings())
    return disk


@pytest.fixture
def disk_server(disk: Disk, tmp_path: Path) -> Iterator[Server]:
    server = Server(disk.command, tmp_path)
    yield server
    server.stop()


async def test_an_upload_to_a_full_disk_gets_503_and_files_can_be_read(
    disk_server: Server, disk: Disk, scene: Scene
) -> None:
    gateway = scene.start_gateway()
    scene.start_worker()
    async with scene.alice(gateway) as client:
        before = await client.upload(PATH, files.PNG, name=scene.name)
        assert before.status == 200, before.body
        await disk.fill()
        assert await _is_refused(client)
        await _relays_go_on(client)
        resource = await client.resource(before.upload_id)
        assert resource["state"] == "registered"
        assert (await client.request("GET", resource["url"])).body == files.PNG
        with disk_server.away():
            disk.small = False
        after = await client.upload(PATH, files.PNG, name=scene.name)
        assert after.status == 200, after.body
        assert await scene.is_registered_once(client, after)
        assert (await client.request("GET", resource["url"])).body == files.PNG
