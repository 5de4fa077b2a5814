"""RabbitMQ as operators run it: both types of queues, few rights, and faults by name."""

import asyncio
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
from kombu import Connection, Exchange, Queue

from chaos.servers.rabbitmq import RabbitMQ
from gateway.brokers.faults import RIGHTS
from gateway.brokers.kinds import QueueType
from gateway.brokers.options import DEFAULTS, BrokerOptions
from gateway.errors import QueueUnavailable
from gateway.queue import TaskQueue
from gateway.stack.ports import HOST, free_port
from gateway.uploads.lifecycle import Step
from tests.degraded.conftest import PATH, RESPOND_ASYNC, Scene, all_inspected, eventually
from tests.flows import files
from tests.flows.client import PATIENCE
from tests.servers import secrets
from tests.servers.rabbitmq import started
from workers.shares import share

pytestmark = pytest.mark.slow

SLOTS = 32
PASSWORD = "p@ss/w:rd%#?&+ é"
QUORUM = BrokerOptions(queue_type=QueueType.QUORUM)


@pytest.fixture(scope="module")
def node(servers_dir: Path) -> Iterator[RabbitMQ]:
    with started(servers_dir / "rabbitmq-queues") as running:
        yield running


@pytest.fixture
def vhost(node: RabbitMQ) -> Iterator[str]:
    """The URL of one that is empty."""
    with node.lend_vhost() as url:
        yield url


Clerk = Callable[[str], str]


@pytest.fixture
def clerk(node: RabbitMQ, vhost: str) -> Clerk:
    """Makes a user who may configure, write and read the names of a pattern; returns his URL."""

    def make(names: str) -> str:
        user = f"clerk-{uuid4().hex}"
        node.put(f"users/{user}", password=PASSWORD, tags="")
        name = vhost.rpartition("/")[2]
        if names:
            node.put(f"permissions/{name}/{user}", configure=names, write=names, read=names)
        secrets.remember({"GATEWAY_BROKER_URL": vhost})
        return f"amqp://{user}:{quote(PASSWORD, safe='')}@{HOST}:{node.port}/{name}"

    return make


def said_of(url: str, options: BrokerOptions = DEFAULTS) -> str:
    """What is said about a broker that cannot be used, at the start and by `doctor`."""
    queue = TaskQueue(url, {}, options)
    with pytest.raises(QueueUnavailable) as by_doctor:
        queue.probe()
    with pytest.raises(QueueUnavailable) as caught:
        queue.check()
    queue.close()
    said = str(caught.value)
    assert str(by_doctor.value) == said
    assert PASSWORD not in said
    assert quote(PASSWORD, safe="") not in said
    assert "\n" not in said
    return said


def test_failed_login_reports_the_reason(node: RabbitMQ, clerk: Clerk) -> None:
    at = f"{HOST}:{node.port}"
    assert "refuses the user or the password" in said_of(f"amqp://guest:wrong@{at}/%2F")
    assert "no virtual host nowhere: create it" in said_of(f"amqp://guest:guest@{at}/nowhere")
    assert "into the virtual host test-" in said_of(clerk(""))
    assert "set_permissions -p test-" in said_of(clerk(""))
    assert "nothing listens" in said_of(f"amqp://guest:guest@{HOST}:{free_port()}/%2F")
    assert "cannot be resolved" in said_of("amqp://guest:guest@nowhere.invalid/%2F")
    assert "does not speak TLS at this port" in said_of(f"amqps://guest:guest@{at}/%2F")


def test_a_missing_right_is_named(clerk: Clerk) -> None:
    for names, what in (
        ("^$", "queue 'uploads.probe."),
        ("^uploads.*", "exchange 'amq.default'"),
        ("^amq.default$", "queue 'uploads.probe."),
    ):
        with (
            closing(TaskQueue(clerk(names), {})) as queue,
            pytest.raises(QueueUnavailable, match=what) as caught,
        ):
            queue.probe()
        assert "rabbitmqctl set_permissions -p test-" in str(caught.value)


@pytest.mark.parametrize("queue_type", QueueType)
def test_doctor_creates_no_queue_and_checks_each(
    node: RabbitMQ, vhost: str, clerk: Clerk, queue_type: QueueType
) -> None:
    options = BrokerOptions(queue_type=queue_type)
    name = vhost.rpartition("/")[2]
    with closing(TaskQueue(clerk(RIGHTS), {}, options)) as queue:
        queue.probe()
    assert "uploads" not in node.control("list_queues", "-p", name, "name")
    with Connection(vhost) as connection:  # the last of them is of another type
        Queue(Step.SWEEP, Exchange("uploads"), Step.SWEEP, durable=False)(
            connection.channel()
        ).declare()
    with (
        closing(TaskQueue(clerk(RIGHTS), {}, options)) as queue,
        pytest.raises(QueueUnavailable, match=r"queue 'uploads.sweep' exists with another"),
    ):
        queue.probe()


def test_an_alarm_is_named(node: RabbitMQ, vhost: str) -> None:
    with (
        node.memory_alarm(),
        closing(TaskQueue(vhost, {})) as queue,
        pytest.raises(QueueUnavailable, match="alarm for memory or disk"),
    ):
        queue.probe()


def _cut(wire: socket.socket) -> None:
    """As a broker does that has closed it."""
    wire.shutdown(socket.SHUT_RDWR)


def _forget(wire: socket.socket) -> None:
    """As a firewall that forgets quiet connections: neither an answer nor an end arrives."""
    ours, theirs = socket.socketpair()
    os.dup2(ours.fileno(), wire.fileno())
    ours.close()
    theirs.detach()  # never to be read from, nor closed


@pytest.mark.parametrize("lose", [_cut, _forget])
def test_the_first_task_after_a_connection_was_lost_is_sent(
    vhost: str, lose: Callable[[socket.socket], None]
) -> None:
    with closing(TaskQueue(vhost, {})) as queue:
        queue.check()
        with queue._connections.acquire(block=True) as connection:
            lose(connection.connection.transport.sock)
        queue.send(Step.INSPECT, "upload")
        _wait_until(lambda: queue.depth() == 1)


def test_hanging_broker_is_reported_at_once(node: RabbitMQ, vhost: str) -> None:
    with closing(TaskQueue(vhost, {})) as queue:
        queue.check()
        with queue._connections.acquire(block=True) as connection:
            _cut(connection.connection.transport.sock)
        queue.check()
        with node.frozen(), pytest.raises(QueueUnavailable, match="RabbitMQ does not answer"):
            queue.check()


def _wait_until(so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < until
        time.sleep(0.05)


def declare(vhost: str, queue_type: QueueType = QueueType.CLASSIC) -> None:
    """As a gateway that checks whether the broker accepts tasks."""
    with closing(TaskQueue(vhost, {}, BrokerOptions(queue_type=queue_type))) as queue:
        queue.check()


@pytest.mark.parametrize("there", QueueType)
def test_queues_of_another_type_are_named(vhost: str, there: QueueType) -> None:
    (wanted,) = set(QueueType) - {there}
    for _ in range(2):
        declare(vhost, there)
    said = said_of(vhost, BrokerOptions(queue_type=wanted))
    assert f"queue uploads.inspect exists as a {there} queue" in said
    assert f"set GATEWAY_BROKER_QUEUE_TYPE={there}, or" in said


def test_queues_that_were_there_before_the_type_could_be_chosen_are_classic(vhost: str) -> None:
    with Connection(vhost) as connection:
        Queue(Step.INSPECT, Exchange("uploads"), Step.INSPECT)(connection.channel()).declare()
    declare(vhost)
    assert "exists as a classic queue" in said_of(vhost, QUORUM)


def test_an_exchange_of_another_type_is_named(vhost: str) -> None:
    with Connection(vhost) as connection:
        Exchange("uploads", type="topic")(connection.channel()).declare()
    assert "exchange 'uploads' exists with another type" in said_of(vhost)


@pytest.mark.parametrize("queue_type", QueueType)
async def test_uploads_finish_with_a_redis_user_with_few_rights(
    node: RabbitMQ,
    vhost: str,
    clerk: Clerk,
    own_environ: dict[str, str],
    scene: Scene,
    queue_type: QueueType,
) -> None:
    own_environ["GATEWAY_BROKER_URL"] = clerk(RIGHTS)
    own_environ["GATEWAY_BROKER_QUEUE_TYPE"] = queue_type
    gateway = scene.start_gateway()
    worker = scene.start_worker()
    async with scene.alice(gateway) as client:
        await scene.sandbox.fault("POST", PATH, times=2, status=503)  # put off, and come again
        sent = [
            await client.upload(PATH, files.PNG, name=scene.name, headers=RESPOND_ASYNC)
            for _ in range(6)
        ]
        for answer in sent:
            assert await scene.is_registered_once(client, answer)
    assert worker.exit_status is None
    listed = node.control(
        "list_queues", "-p", vhost.rpartition("/")[2], "name", "type", "--formatter", "json"
    )
    types = {queue["name"]: queue["type"] for queue in json.loads(listed)}
    ours = {name: type_ for name, type_ in types.items() if name.startswith("uploads")}
    assert ours == dict.fromkeys(Step, queue_type.value)
    others = set(types) - set(ours)
    assert all(name.endswith("celery.pidbox") or name.startswith("celeryev") for name in others)


@pytest.mark.parametrize("queue_type", QueueType)
async def test_a_slow_upstream_does_not_block_inspections(
    vhost: str,
    own_environ: dict[str, str],
    scene: Scene,
    queue_type: QueueType,
) -> None:
    own_environ["GATEWAY_BROKER_URL"] = vhost
    own_environ["GATEWAY_BROKER_QUEUE_TYPE"] = queue_type
    own_environ["GATEWAY_UPSTREAM_TIMEOUT"] = "60"
    own_environ["GATEWAY_DRAIN_TIMEOUT"] = "1"
    gateway = scene.start_gateway()
    scene.start_worker()
    queue = TaskQueue(vhost, {}, BrokerOptions(queue_type=queue_type))
    async with scene.alice(gateway) as client:
        await scene.sandbox.fault("POST", PATH, times=1000, delay=60.0, status=503)
        ids = await all_inspected(client, 2 * SLOTS)

        async def the_rest_waits() -> bool:
            waiting = await asyncio.to_thread(queue.depths)
            return waiting[Step.REGISTER] == len(ids) - 2 * share(SLOTS)

        await eventually(the_rest_waits)
