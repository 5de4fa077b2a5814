"""Broken set-ups of the broker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from kombu import Connection, Exchange, Queue

from tests.doctor.ground import ADVICE, NOWHERE, Break, Case, Changes, Ground, settings
from tests.doctor.wires import declare_as_another, own_redis


@asynccontextmanager
async def broker_of_others(ground: Ground) -> AsyncIterator[Changes]:
    with own_redis(ground.directory) as address:
        declare_as_another(f"redis://{address}/0")
        yield {"BROKER_URL": f"redis://{address}/0"}


@asynccontextmanager
async def broker_with_a_password(ground: Ground) -> AsyncIterator[Changes]:
    with own_redis(ground.directory, "--requirepass", "right") as address:
        yield {"BROKER_URL": f"redis://:wrong@{address}/0"}


def rabbitmq_url(change: str, to: str) -> Break:
    """RabbitMQ by a URL of which a part is wrong."""

    @asynccontextmanager
    async def broken(ground: Ground) -> AsyncIterator[Changes]:
        url: str = ground.server("rabbitmq").url
        assert change in url
        yield {"BROKER_URL": url.replace(change, to)}

    return broken


@asynccontextmanager
async def queues_of_another_type(ground: Ground) -> AsyncIterator[Changes]:
    with ground.server("rabbitmq").lend_vhost() as url:
        with Connection(url) as connection:
            Queue("uploads.inspect", Exchange("uploads"))(connection.channel()).declare()
        yield {"BROKER_URL": url, "BROKER_QUEUE_TYPE": "quorum"}


@asynccontextmanager
async def queues_with_other_arguments(ground: Ground) -> AsyncIterator[Changes]:
    with ground.server("rabbitmq").lend_vhost() as url:
        with Connection(url) as connection:
            Queue("uploads.inspect", Exchange("uploads"), max_length=9)(
                connection.channel()
            ).declare()
        yield {"BROKER_URL": url}


@asynccontextmanager
async def rabbitmq_with_an_alarm(ground: Ground) -> AsyncIterator[Changes]:
    node = ground.server("rabbitmq")
    with node.memory_alarm():
        yield {"BROKER_URL": node.url}


def rabbitmq_user(name: str, *may: str) -> Break:
    """A user who may configure, write and read what has such names; without any, nothing."""

    @asynccontextmanager
    async def broken(ground: Ground) -> AsyncIterator[Changes]:
        node = ground.server("rabbitmq")
        node.put(f"users/{name}", password="secret", tags="")
        if may:
            rights = dict(zip(("configure", "write", "read"), may, strict=True))
            node.put(f"permissions/%2F/{name}", **rights)
        yield {"BROKER_URL": node.url.replace("guest:guest", f"{name}:secret")}

    return broken


BROKER: Final = [
    Case(
        "a Redis of its own, with a wrong password",
        "broker",
        "refuses the password or the user",
        "correct the password in GATEWAY_BROKER_URL and the user in GATEWAY_BROKER_URL",
        broker_with_a_password,
    ),
    Case(
        "nothing runs there",
        "broker",
        "nothing listens at the broker's address",
        "start it, or check GATEWAY_BROKER_URL",
        settings(BROKER_URL=f"amqp://guest:guest@{NOWHERE}//"),
    ),
    Case(
        "RabbitMQ, with a wrong password",
        "broker",
        "RabbitMQ refuses the user or the password",
        "check GATEWAY_BROKER_URL, in which both are percent-encoded (guest may log in from"
        " RabbitMQ's own machine only)",
        rabbitmq_url("guest:guest", "guest:wrong"),
    ),
    Case(
        "RabbitMQ, with a wrong virtual host",
        "broker",
        "RabbitMQ has no virtual host elsewhere",
        "create it (rabbitmqctl add_vhost), or change the path of GATEWAY_BROKER_URL (the virtual"
        " host / is written %2F)",
        rabbitmq_url("%2F", "elsewhere"),
    ),
    Case(
        "RabbitMQ with existing queues of another type",
        "broker",
        "queue uploads.inspect exists as a classic queue",
        "set GATEWAY_BROKER_QUEUE_TYPE=classic, or stop gateways and workers, and delete the queue"
        " (rabbitmqctl delete_queue -p … uploads.inspect); the sweeper resumes the uploads with"
        " tasks in it",
        queues_of_another_type,
    ),
    Case(
        "RabbitMQ with existing queues that have other arguments",
        "broker",
        "queue 'uploads.inspect' exists with another x-max-length in the virtual host …",
        "delete it, or give the gateway a virtual host of its own",
        queues_with_other_arguments,
    ),
    Case(
        "RabbitMQ, with an alarm for memory or disk",
        "broker",
        "RabbitMQ does not answer, because it has an alarm for memory or disk, or hangs",
        "check its alarms (rabbitmqctl status), free memory or disk, or restart it",
        rabbitmq_with_an_alarm,
    ),
    Case(
        "RabbitMQ with a user who may not enter the virtual host",
        "broker",
        "RabbitMQ does not let stranger into the virtual host /",
        "rabbitmqctl set_permissions -p / stranger …",
        rabbitmq_user("stranger"),
    ),
    Case(
        "RabbitMQ with a user who may not configure",
        "broker",
        "RabbitMQ does not let clerk use queue 'uploads.probe.…'",
        "rabbitmqctl set_permissions -p / clerk …",
        rabbitmq_user("clerk", "^$", ".*", ".*"),
    ),
    Case(
        "RabbitMQ with a user who may not write",
        "broker",
        "RabbitMQ does not let reader use exchange 'amq.default'",
        "rabbitmqctl set_permissions -p / reader …",
        rabbitmq_user("reader", ".*", "^$", ".*"),
    ),
    Case(
        "RabbitMQ with a user who may not read",
        "broker",
        "RabbitMQ does not let writer use queue 'uploads.probe.…'",
        "rabbitmqctl set_permissions -p / writer …",
        rabbitmq_user("writer", ".*", ".*", "^$"),
    ),
    Case(
        "another application's Celery in the same database",
        ADVICE,
        "another Celery application uses this one, and its workers deliver the gateway's tasks"
        " again after their own visibility timeout",
        "set GATEWAY_REDIS_PREFIX, or use a separate database for the broker",
        broker_of_others,
    ),
]
