"""Redis that changes its role behind one address: no client stays with the demoted server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from chaos.servers.failover import Address, address_of, follow, promote
from gateway.stack.ports import free_port
from gateway.stack.valkey import Valkey
from gateway.uploads import keys
from gateway.uploads.lifecycle import Step
from tests.degraded.conftest import IMPORTS, PATH, Scene, Server, eventually
from tests.flows import files
from tests.flows.client import Answer, Client
from tests.gateway.redis.test_replies import REFUSED, WRONG
from tests.servers.zygote import ForkedPart

SAID = ("READONLY", "UNBLOCKED")
WHATEVER = [*{reply.split()[0]: reply for reply in WRONG}.values(), *REFUSED, "ERR whatever"]


@dataclass
class Pair:
    """A master and its replica, behind one address."""

    address: Address
    master: Valkey
    replica: Valkey

    async def fail_over(self) -> None:
        """No connection ends; new ones reach the new master."""
        await promote(self.replica, self.master)
        self.address.lead_to(self.replica)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        servers = [Valkey(tmp_path / f"valkey-{name}", free_port()) for name in "ab"]
        for server in servers:
            stack.callback(Server(server.command, server.data_dir).stop)
        asyncio.run(follow(servers[1], servers[0]))
        yield Pair(stack.enter_context(address_of(servers[0])), *servers)


@pytest.fixture
def behind(own_environ: dict[str, str], pair: Pair) -> None:
    own_environ["GATEWAY_REDIS_URL"] = pair.address.url


@pytest.fixture
async def new_master(pair: Pair) -> AsyncIterator[Redis]:
    async with Redis.from_url(pair.replica.url) as redis:
        yield redis


@dataclass
class SlowUpload:
    """A hosted file; the rest of its bytes are sent when the test says so."""

    rest: asyncio.Event
    answer: asyncio.Task[Answer]

    @classmethod
    def begin(cls, client: Client, name: str) -> "SlowUpload":
        rest = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield files.PNG.ljust(9_000_000, b"\0")  # a part, and some of the next
            await rest.wait()
            yield bytes(1000)

        form = aiohttp.FormData()
        form.add_field("file", body(), filename=name, content_type="image/png")
        sending = client.request("POST", PATH, data=form)
        return cls(rest, asyncio.create_task(sending))


async def in_parts(scene: Scene) -> str:
    """The id of the upload that has a part in the store."""
    async with asyncio.timeout(30):
        while True:
            async for upload in scene.backends.store.list_multipart_uploads(keys.INCOMING):
                if await scene.backends.store.idle(upload) < upload.age + 1:
                    return keys.id_of(upload.key)
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("behind")
async def test_a_failover_costs_no_upload_and_is_over_at_once(
    scene: Scene, pair: Pair, new_master: Redis
) -> None:
    quota = {"subject_requests": "1000", "subject_window": "3600"}
    gateways = [scene.start_gateway(), scene.start_gateway(delivery="relay", **quota)]
    worker = scene.start_worker()
    logs = [gateways[0].log, gateways[1].log, worker.log]
    async with scene.alice(gateways[0]) as client, scene.alice(gateways[1]) as relay:
        assert (await client.upload(PATH, files.PNG, name=scene.name)).status == 200
        await relay.upload(IMPORTS, b"[]", name="users.json")
        slow = SlowUpload.begin(client, scene.name)
        upload_id = await in_parts(scene)

        await pair.fail_over()

        async def is_marked() -> bool:
            return bool(await new_master.exists(keys.presence(upload_id)))

        await eventually(is_marked)
        await scene.sweep()  # which finds the upload silent for an hour
        slow.rest.set()
        assert (await slow.answer).status == 200
        relayed = await relay.upload(IMPORTS, b"[]", name="users.json")
        assert relayed.status == 202
        assert await scene.left(keys.PENDING) == []  # its record is in Redis
        assert (await relay.end_of(relayed.upload_id))["state"] == "audited"
        assert await scene.is_registered_once(
            client, await client.upload(PATH, files.PNG, name=scene.name)
        )

        async def counts_together() -> bool:
            before = await _counted(new_master)
            await relay.upload(IMPORTS, b"[]", name="users.json")
            return await _counted(new_master) > before

        await eventually(counts_together)
        until_then = [log.stat().st_size for log in logs]
        for _ in range(3):
            await asyncio.sleep(2)  # a beat of the presence, and whatever else comes round
            assert (await client.upload(PATH, files.PNG, name=scene.name)).status == 200
            assert (await relay.upload(IMPORTS, b"[]", name="users.json")).status == 202
            assert (await client.request("GET", "/gateway/readyz")).status == 200
        later = [log.read_text()[size:] for log, size in zip(logs, until_then, strict=True)]
        assert [said for text in later for said in SAID if said in text] == []
        assert worker.exit_status is None


async def _counted(redis: Redis) -> int:
    found = [await redis.hvals(key) async for key in redis.scan_iter("quota:*:requests")]
    return sum(int(value) for values in found for value in values)


@pytest.fixture
def valkey_alone(own_redis: tuple[Server, str], tmp_path: Path) -> Valkey:
    return Valkey(tmp_path / "valkey", int(own_redis[1].rpartition(":")[2].partition("/")[0]))


async def test_a_worker_recovers_from_every_error_of_the_broker(
    scene: Scene, valkey_alone: Valkey
) -> None:
    with address_of(valkey_alone) as address:
        gateway = scene.start_gateway(broker_url=valkey_alone.url)
        worker = scene.start_worker(GATEWAY_BROKER_URL=address.url)
        async with scene.alice(gateway) as client:
            for reply in WHATEVER:
                address.deny(reply)
                await eventually(address.has_denied)
                # A message in progress may be lost: the sweeper sends it again.
                await eventually(partial(_is_registered, scene, client))
        assert worker.exit_status is None


async def test_a_worker_recovers_from_a_broker_that_ends_its_greeting(
    scene: Scene, valkey_alone: Valkey
) -> None:
    gateway = scene.start_gateway()
    worker = scene.start_worker()
    async with Redis.from_url(valkey_alone.url) as redis, scene.alice(gateway) as client:

        async def has_refused() -> bool:
            log = await redis.acl_log()
            return any("pidbox" in str(each["object"]) and each["count"] != 1 for each in log)

        await redis.execute_command("ACL", "SETUSER", "default", "resetchannels")
        await redis.client_kill_filter(skipme=True)
        await eventually(has_refused)  # what a worker says to others as it begins, and again
        await redis.execute_command("ACL", "SETUSER", "default", "allchannels")
        await eventually(partial(_is_registered, scene, client))
    assert worker.exit_status is None


async def _is_registered(scene: Scene, client: Client) -> bool:
    headers = {"Prefer": "wait=3"}
    answer = await client.upload(PATH, files.PNG, name=scene.name, headers=headers)
    return answer.status == 200


async def test_beat_recovers_from_every_error_of_the_broker(
    scene: Scene, valkey_alone: Valkey, tmp_path: Path
) -> None:
    database = 3  # of which no worker takes tasks
    with address_of(valkey_alone) as address:
        environ = {
            "GATEWAY_BROKER_URL": f"{address.url[:-1]}{database}",
            "GATEWAY_SWEEP_INTERVAL": "1",
        }
        argv = ["celery.__main__", "-A", "workers", "beat", "-s", str(tmp_path / "schedule")]
        beat = ForkedPart(argv, {**scene.environ, **environ}, tmp_path / "beat.log", lambda: True)
        scene.stack.callback(beat.stop)
        async with Redis.from_url(f"{valkey_alone.url[:-1]}{database}") as redis:

            async def beats() -> bool:
                return await redis.delete(Step.SWEEP.value) > 0

            await eventually(beats)
            for reply in WHATEVER:
                address.deny(reply)
                await eventually(address.has_denied)
                await redis.delete(Step.SWEEP.value)
                await eventually(beats)
        assert beat.exit_status is None
