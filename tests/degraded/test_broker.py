"""The broker away: uploads are taken, and the sweeper makes up for the tasks that were lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.stack.ports import free_port
from gateway.stack.valkey import Valkey
from gateway.uploads import keys
from tests.degraded.conftest import IMPORTS, PATH, RESPOND_ASYNC, Scene, Server, told_unready
from tests.flows import files


@pytest.fixture
def broker(own_environ: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    valkey = Valkey(tmp_path / "broker", free_port())
    own_environ["GATEWAY_BROKER_URL"] = valkey.url
    server = Server(valkey.command, tmp_path)
    yield server
    server.stop()


async def test_what_is_uploaded_without_a_broker_ends_well_later(
    broker: Server, scene: Scene
) -> None:
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
