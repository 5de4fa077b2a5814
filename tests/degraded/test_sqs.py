"""SQS as operators run it: queues that are created or exist, and their faults by name."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from gateway.brokers.options import BrokerOptions, sqs_name
from gateway.errors import QueueUnavailable
from gateway.queue import QUEUES, STEP_LIMIT, TaskQueue
from gateway.stack.part import Part
from gateway.stack.ports import free_port
from gateway.uploads.lifecycle import Step
from tests.crashes.conftest import died
from tests.degraded.conftest import PATH, Scene, all_inspected, eventually
from tests.servers.sqs import ACCOUNT, SQS
from workers.shares import share

pytestmark = pytest.mark.slow

SLOTS = 32
ONE_ANSWER = 10


@pytest.fixture(scope="module")
def sqs(servers_dir: Path) -> Iterator[SQS]:
    server = SQS(free_port())
    with Part(server.command(), servers_dir):
        yield server


@pytest.fixture
def aws(sqs: SQS) -> Any:
    """The client that an operator's own tools use."""
    return boto3.client(
        "sqs",
        endpoint_url=sqs.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="KEY",
        aws_secret_access_key="SE/CRET",
    )


@pytest.fixture
def made(sqs: SQS, aws: Any) -> str:
    """The beginning of the URLs of queues that were made by hand, with all that they need."""
    prefix = f"made-{uuid4().hex}-"
    attributes = {"VisibilityTimeout": str(2 * STEP_LIMIT)}
    for queue in QUEUES:
        aws.create_queue(QueueName=prefix + sqs_name(queue), Attributes=attributes)
    return f"{sqs.endpoint_url}/{ACCOUNT}/{prefix}"


def test_queues_made_by_hand_are_compared_and_none_is_made(sqs: SQS, aws: Any, made: str) -> None:
    before = set(aws.list_queues()["QueueUrls"])
    queue = TaskQueue(sqs.url, {}, BrokerOptions(sqs_queues=made))
    queue.check()
    queue.probe()
    assert queue.depths() == {**dict.fromkeys(QUEUES, 0), Step.RESUME: 1}
    sweep = made + sqs_name(Step.SWEEP)
    aws.set_queue_attributes(QueueUrl=sweep, Attributes={"VisibilityTimeout": "30"})
    with pytest.raises(QueueUnavailable, match="set its VisibilityTimeout to 1200"):
        queue.probe()
    aws.delete_queue(QueueUrl=sweep)
    with pytest.raises(QueueUnavailable, match=r"create the queues that docs/brokers\.md names"):
        queue.probe()
    queue.close()
    assert set(aws.list_queues()["QueueUrls"]) == before - {sweep}


def test_queues_are_made_with_a_prefix(sqs: SQS, aws: Any) -> None:
    prefix = f"own-{uuid4().hex}-"
    queue = TaskQueue(sqs.url, {}, BrokerOptions(sqs_queues=prefix))
    queue.probe()
    queue.check()
    queue.send(Step.SWEEP, "id")
    queue.close()
    urls = aws.list_queues(QueueNamePrefix=prefix)["QueueUrls"]
    names = [url.rpartition("/")[2] for url in urls]
    assert sorted(names) == sorted(
        prefix + sqs_name(step) for step in (Step.INSPECT, Step.RESUME, Step.SWEEP)
    )
    for url in urls:
        found = aws.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        assert found["Attributes"] == {"VisibilityTimeout": str(2 * STEP_LIMIT)}


def test_an_unreachable_service_is_named() -> None:
    away = TaskQueue(SQS(free_port()).url, {})
    with pytest.raises(QueueUnavailable, match="SQS cannot be reached"):
        away.check()


async def test_a_worker_takes_its_share_and_returns_what_it_leaves(
    sqs: SQS, made: str, own_environ: dict[str, str], scene: Scene
) -> None:
    own_environ["GATEWAY_BROKER_URL"] = sqs.url
    own_environ["GATEWAY_SQS_QUEUES"] = made
    own_environ["GATEWAY_UPSTREAM_TIMEOUT"] = "60"
    own_environ["GATEWAY_DRAIN_TIMEOUT"] = "1"
    gateway = scene.start_gateway()
    worker = scene.start_worker()
    queue = TaskQueue(sqs.url, {}, BrokerOptions(sqs_queues=made))
    async with scene.alice(gateway) as client:
        await scene.sandbox.fault("POST", PATH, times=1000, delay=60.0, status=503)
        ids = await all_inspected(client, 3 * SLOTS)
        waiting = await asyncio.to_thread(queue.depths)
        assert waiting[Step.REGISTER] >= len(ids) - 2 * share(SLOTS) - 2 * ONE_ANSWER
        os.kill(worker.pid, signal.SIGTERM)
        await died(worker.pid)

        async def all_wait() -> bool:
            return sum((await asyncio.to_thread(queue.depths)).values()) >= len(ids)

        # Those in progress come back as tasks to resume, the others as they were.
        await eventually(all_wait)
