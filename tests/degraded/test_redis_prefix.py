"""A fleet that moves to another prefix in Redis, with work in progress under the old one."""

from gateway.uploads import keys
from tests.degraded.conftest import IMPORTS, PATH, RESPOND_ASYNC, Scene, eventually
from tests.flows import files
from tests.servers.aged_store import open_aged_backends, sweep_later


async def test_nothing_is_lost_by_a_change_of_the_prefix(scene: Scene) -> None:
    old = [scene.start_gateway(), scene.start_gateway(delivery="relay")]
    async with scene.alice(old[0]) as hosting, scene.alice(old[1]) as relaying:
        hosted = await hosting.upload(PATH, files.PNG, name=scene.name, headers=RESPOND_ASYNC)
        relayed = await relaying.upload(IMPORTS, b"[]", name="users.json")
        assert (hosted.status, relayed.status) == (202, 202)

    async def both_wait() -> bool:
        return await scene.tasks_that_wait() == 2

    await eventually(both_wait)
    new = {"GATEWAY_REDIS_PREFIX": "new:"}
    gateway = scene.start_gateway(redis_prefix="new:")
    scene.start_worker(**new)
    async with scene.alice(gateway) as client, open_aged_backends(scene.environ | new) as moved:
        await sweep_later(moved, 3600)
        assert await scene.is_registered_once(client, hosted)
        answer = await client.upload(PATH, files.PNG, name=scene.name)
        assert await scene.is_registered_once(client, answer)
        # The relay's record stays where it was, with its message.
        assert await scene.backends.ledger.list_relayed(0, 9) == [relayed.upload_id]
        assert await scene.left(keys.PENDING) == []

        scene.start_worker()  # the one that keeps the old prefix

        async def none_waits() -> bool:
            return await scene.backends.ledger.list_relayed(0, 9) == []

        await eventually(none_waits)
        assert (await client.end_of(relayed.upload_id))["state"] == "audited"
        assert len(await scene.messages()) == 2
