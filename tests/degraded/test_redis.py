"""Redis down, frozen, or wiped: uploads are accepted, and finish once it is back."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from gateway.uploads import keys
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

How = Callable[[Server], AbstractContextManager[None]]


@pytest.mark.parametrize("how", [Server.away, Server.frozen])
async def test_uploads_without_redis_succeed_later(
    scene: Scene, redis_server: Server, how: How
) -> None:
    gateway = scene.start_gateway()
    scene.start_worker()
    async with scene.alice(gateway) as client:
        with how(redis_server):
            headers = {"Prefer": "wait=1"}
            hosted = await client.upload(PATH, files.PNG, name=scene.name, headers=headers)
            assert hosted.status == 202, hosted.body
            relayed = await client.upload(IMPORTS, b"[]", name="users.json")
            assert relayed.status == 202
            assert set(await scene.left(keys.PENDING)) == {hosted.upload_id, relayed.upload_id}
            await told_unready(client, gateway, "redis")
        await scene.sweep()
        assert await scene.is_registered_once(client, hosted)
        assert (await client.end_of(relayed.upload_id))["state"] == "audited"
        assert await scene.left(keys.PENDING) == []

        async def is_ready() -> bool:
            return (await client.request("GET", "/gateway/readyz")).status == 200

        await eventually(is_ready)


async def all_synced(redis: Redis) -> None:
    """Wait until all that Redis has answered is on its disk, which may take a second or two."""
    async with redis.client() as connection:
        await connection.set("last", "1")
        assert (await connection.waitaof(1, 0, 0))[0] == 1


async def test_an_upload_that_only_redis_knows_gets_503_while_redis_is_down(
    scene: Scene, redis_server: Server
) -> None:
    gateway = scene.start_gateway()
    async with scene.alice(gateway) as client:
        relayed = await client.upload(IMPORTS, b"[]", name="users.json")
        place = f"/gateway/uploads/{relayed.upload_id}"
        await all_synced(scene.backends.redis)
        with redis_server.away():
            assert told_to_return(await client.request("GET", place), "store-unavailable")
        assert (await client.resource(relayed.upload_id))["state"] == "relayed"


async def test_a_wiped_redis_loses_no_upload(scene: Scene) -> None:
    gateway, relaying = scene.start_gateway(), scene.start_gateway(delivery="relay")
    async with scene.alice(gateway) as client, scene.alice(relaying) as relay:
        hosted = [
            await client.upload(PATH, files.PNG, name=scene.name, headers=RESPOND_ASYNC)
            for _ in range(3)
        ]
        relayed = await relay.upload(PATH, files.PNG, name=scene.name)
        headers = {"Idempotency-Key": str(uuid4())}
        with_key = await relay.upload(PATH, files.PNG, name=scene.name, headers=headers)
        assert [answer.status for answer in (*hosted, relayed, with_key)] == [202] * 3 + [200] * 2
        await scene.backends.redis.flushall()
        assert (await client.resource(hosted[0].upload_id))["state"] == "stored"
        scene.start_worker()
        await scene.sweep()
        for answer in hosted:
            assert await scene.is_registered_once(client, answer)
        assert (await relay.end_of(with_key.upload_id))["state"] == "audited"
        # The audit of the other upload is lost, but not the upload.
        lost = await relay.request("GET", f"/gateway/uploads/{relayed.upload_id}")
        assert lost.status == 404
        assert len(await scene.messages()) == 5
        repeated = await relay.upload(PATH, files.PNG, name=scene.name, headers=headers)
        assert (repeated.status, repeated.body) == (200, with_key.body)
        assert len(await scene.messages()) == 5


async def test_no_client_notices_that_redis_is_wiped(scene: Scene) -> None:
    gateway = scene.start_gateway()
    scene.start_worker()
    async with scene.alice(gateway) as client:
        for _ in range(2):
            answer = await client.upload(PATH, files.PNG, name=scene.name)
            assert answer.status == 200
            assert await scene.is_registered_once(client, answer)
            await scene.backends.redis.flushall()


async def test_without_redis_each_gateway_enforces_the_quota_by_itself(
    scene: Scene, redis_server: Server
) -> None:
    gateway = scene.start_gateway(delivery="relay", subject_requests="3")
    async with scene.alice(gateway) as client:
        assert (await client.upload(PATH, files.PNG, name=scene.name)).status == 200
        with redis_server.away():
            statuses = [
                (await client.upload(PATH, files.PNG, name=scene.name)).status for _ in range(5)
            ]
            assert statuses == [200, 200, 200, 429, 429]
