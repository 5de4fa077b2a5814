"""The settings of Celery and kombu for each kind of broker. Pure."""

import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from gateway.brokers.kinds import TLS_OPTIONS, BrokerKind, QueueType, kind_of, split

_AMQPS: Final[Mapping[str, str]] = {name: name.removeprefix("ssl_") for name in TLS_OPTIONS}
"""py-amqp's names of these options."""

_POLL_SECONDS: Final = 5
"""How long SQS waits for a message before it answers that there is none."""

_CONNECT_SECONDS: Final = 3
_CONNECTIONS: Final = 50
"""How many a worker may acknowledge at a time: each of its threads does so for itself."""

_ANSWER_SECONDS: Final = _POLL_SECONDS + 3


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """What an operator chooses in addition to the broker's address."""

    queue_type: QueueType = QueueType.CLASSIC
    """The type of RabbitMQ's queues."""

    redis_prefix: str = ""
    """The prefix of all keys in Redis."""

    sqs_region: str = "us-east-1"

    sqs_queues: str = ""
    """The prefix of the names of SQS' queues, or of their URLs; with URLs, they must exist."""


DEFAULTS: Final = BrokerOptions()


def queue_arguments(url: str, options: BrokerOptions) -> Mapping[str, str]:
    """The arguments by which each queue is declared; RabbitMQ's default is its virtual host's."""
    if kind_of(url) is not BrokerKind.RABBITMQ:
        return {}
    return {"x-queue-type": options.queue_type.value}


def sqs_name(queue: str) -> str:
    """The name of a queue in SQS, whose names have no dots."""
    return queue.replace(".", "-")


def connection_settings(url: str) -> Mapping[str, Any]:
    """Celery's settings for the connection to that broker."""
    kind = kind_of(url)
    if kind is BrokerKind.REDIS:
        return {"broker_url": url}
    parts = split(url)
    told = dict(parse_qsl(parts.query))
    settings: dict[str, Any] = {"broker_url": parts._replace(query="").geturl()}
    if kind is BrokerKind.SQS:
        # Remote control would need SNS, a queue for each worker, and rights to both.
        settings["worker_enable_remote_control"] = False
    if parts.scheme == "amqps":
        settings["broker_use_ssl"] = {
            # py-amqp checks the certificate's name only if one is given; kombu fills in the host's.
            "server_hostname": None,
            "cert_reqs": ssl.CERT_REQUIRED,
            **{_AMQPS[name]: told[name] for name in TLS_OPTIONS if name in told},
        }
    return settings


def transport_options(
    url: str, options: BrokerOptions, queues: Collection[str]
) -> Mapping[str, Any]:
    """The options for SQS; none for other brokers."""
    if kind_of(url) is not BrokerKind.SQS:
        return {}
    told = dict(parse_qsl(split(url).query))
    chosen: dict[str, Any] = {
        "region": options.sqs_region,
        "is_secure": told.get("is_secure", "true").lower() != "false",
        "wait_time_seconds": _POLL_SECONDS,
        "polling_interval": 0,
        "client-config": {
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": _ANSWER_SECONDS,
            "retries": {"total_max_attempts": 2},
            "max_pool_connections": _CONNECTIONS,
        },
    }
    if "://" in options.sqs_queues:
        chosen["predefined_queues"] = {
            sqs_name(queue): {"url": options.sqs_queues + sqs_name(queue)} for queue in queues
        }
    else:
        chosen["queue_name_prefix"] = options.sqs_queues
    return chosen
