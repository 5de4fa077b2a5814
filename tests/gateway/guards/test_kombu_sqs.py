"""What kombu does wrong on SQS: a test that fails here says that its guard can go."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from kombu import Connection
from kombu.transport import SQS as kombu  # noqa: N811 - the module is called so

from gateway.brokers.options import DEFAULTS, connection_settings, transport_options
from gateway.guards.kombu_sqs import RemadeQueues
from gateway.stack.part import Part
from gateway.stack.ports import free_port
from tests.servers.sqs import SQS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sqs(servers_dir: Path) -> Iterator[SQS]:
    server = SQS(free_port())
    with Part(server.command(), servers_dir / "sqs-guards"):
        yield server


@pytest.mark.parametrize("channel", [kombu.Channel, RemadeQueues])
def test_kombu_still_sends_to_a_queue_that_was_deleted(sqs: SQS, channel: type[Any]) -> None:
    guarded = channel is RemadeQueues
    name = channel.__name__
    transport = type("Transport", (kombu.Transport,), {"Channel": channel})
    url, options = (
        connection_settings(sqs.url)["broker_url"],
        transport_options(sqs.url, DEFAULTS, ()),
    )
    with Connection(url, transport=transport, transport_options=dict(options)) as connection:
        queue = connection.SimpleQueue(name)
        queue.put("before")
        operator: Any = boto3.client(
            "sqs",
            endpoint_url=sqs.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="KEY",
            aws_secret_access_key="SE/CRET",
        )
        operator.delete_queue(QueueUrl=operator.get_queue_url(QueueName=name)["QueueUrl"])
        with nullcontext() if guarded else pytest.raises(ClientError, match="NonExistentQueue"):
            queue.put("after")
        urls = operator.list_queues(QueueNamePrefix=name).get("QueueUrls", [])
        assert len(urls) == int(guarded)
