"""Uploads over each kind of broker, which is killed among them: none lost, none doubled."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.servers.rabbitmq import RabbitMQ
from gateway.stack.part import Part
from gateway.stack.ports import free_port
from gateway.uploads import keys
from tests.degraded.conftest import PATH, Scene, Server
from tests.flows import files
from tests.flows.client import Client
from tests.servers.sqs import SQS

pytestmark = pytest.mark.slow

UPLOADS = 60
AT_A_TIME = 8
SETTLED_SECONDS = 120
LATER_AGAIN = {"status": 429, "headers": {"Retry-After": "2"}}


@pytest.fixture(params=["classic", "quorum", "sqs"])
def broker(
    request: pytest.FixtureRequest, own_environ: dict[str, str], tmp_path: Path
) -> Iterator[Server]:
    if request.param == "sqs":
        yield from _sqs(own_environ, tmp_path)
    else:
        own_environ["GATEWAY_BROKER_QUEUE_TYPE"] = request.param
        yield from _rabbitmq(own_environ, tmp_path)


def _sqs(environ: dict[str, str], directory: Path) -> Iterator[Server]:
    queues = SQS(free_port())
    environ["GATEWAY_BROKER_URL"] = queues.url
    environ["GATEWAY_SQS_QUEUES"] = "test-"
    server = Server(queues.command, directory)
    yield server
    server.stop()


def _rabbitmq(environ: dict[str, str], directory: Path) -> Iterator[Server]:
    node = RabbitMQ.below(directory / "rabbitmq")
    environ["GATEWAY_BROKER_URL"] = node.url
    with Part(node.epmd(), directory):
        server = Server(node.command, directory)
        yield server
        server.stop()


async def test_a_broker_that_is_killed_loses_nothing(broker: Server, scene: Scene) -> None:
    gateways = [scene.start_gateway(registration_wait="2") for _ in range(2)]
    worker = scene.start_worker()
    await scene.sandbox.fault("POST", PATH, times=5, after=10, **LATER_AGAIN)
    turns = asyncio.Semaphore(AT_A_TIME)
    half = asyncio.Event()
    answers = []

    async def upload(client: Client) -> None:
        async with turns:
            answers.append(await client.upload(PATH, files.PNG, name=scene.name))
        if len(answers) == UPLOADS // 2:
            half.set()

    async def kill() -> None:
        await half.wait()
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.start)

    async with scene.alice(gateways[0]) as one, scene.alice(gateways[1]) as other:
        async with asyncio.TaskGroup() as group:
            group.create_task(kill())
            for number in range(UPLOADS):
                group.create_task(upload((one, other)[number % 2]))
        assert {answer.status for answer in answers} <= {200, 202}
        ids = [answer.upload_id for answer in answers]
        async with asyncio.timeout(SETTLED_SECONDS):
            # What was sent while there was no broker is found by the sweeper, pass by pass.
            while await scene.left(keys.PENDING):
                await scene.sweep()
                await asyncio.sleep(2)
        ends = [await one.resource(upload_id) for upload_id in ids]
    assert {end["state"] for end in ends} == {"registered"}
    urls = Counter(message["file"]["url"] for message in await scene.messages())
    assert [urls[end["url"]] for end in ends] == [1] * UPLOADS
    assert worker.exit_status is None
