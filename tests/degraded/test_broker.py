"""The broker down: uploads are accepted, and the sweeper replaces the tasks that were lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.stack.ports import free_port
from gateway.stack.valkey import Valkey
from gateway.uploads import keys
from tests.degraded.conftest import (
    IMPORTS,
    PATH,
    RESPOND_ASYNC,
    Scene,
    Server,
    eventually,
    told_unready,
)
from tests.flows import files
from tests.flows.client import Answer


@pytest.fixture
def broker(own_environ: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    valkey = Valkey(tmp_path / "broker", free_port())
    own_environ["GATEWAY_BROKER_URL"] = valkey.url
    server = Server(valkey.command, tmp_path)
    yield server
    server.stop()


async def test_uploads_without_a_broker_succeed_later(broker: Server, scene: Scene) -> None:
    gateway = scene.start_gateway()
    scene.start_worker()
    async with scene.alice(gateway) as client:
        with broker.away():
            hosted = await client.upload(PATH, files.PNG, name=scene.name, headers=RESPOND_ASYNC)
            assert hosted.status == 202, hosted.body
            relayed = await client.upload(IMPORTS, b"[]", name="users.json")
            assert relayed.status == 202
            await told_unready(client, gateway, "broker")
            assert (await client.resource(hosted.upload_id))["state"] == "stored"
        await scene.sweep()
        assert await scene.is_registered_once(client, hosted)
        assert await scene.left(keys.PENDING) == []
        assert (await client.upload(PATH, files.PNG, name=scene.name)).status == 200


async def test_a_worker_with_steps_in_progress_survives_its_broker(
    broker: Server, scene: Scene
) -> None:
    gateway = scene.start_gateway()
    worker = scene.start_worker()
    async with scene.alice(gateway) as client:

        async def send() -> Answer:
            return await client.upload(PATH, files.PNG, name=scene.name, headers=RESPOND_ASYNC)

        async def all_are_at_chatkitty() -> bool:
            found = [await scene.backends.ledger.find(upload.upload_id) for upload in in_hand]
            return all(upload.attempt is not None for upload in found)

        for _ in range(2):
            await scene.sandbox.fault("POST", PATH, times=3, delay=2)
            in_hand = [await send() for _ in range(3)]
            await eventually(all_are_at_chatkitty)
            with broker.away():
                pass
            # They end, and cannot be acknowledged: their connection has gone.
            for upload in [*in_hand, await send()]:
                await scene.sweep()
                assert await scene.is_registered_once(client, upload)
        assert worker.exit_status is None
