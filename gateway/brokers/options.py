"""What Celery and kombu are told of a broker, by its kind. Pure."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from gateway.brokers.kinds import TLS_OPTIONS, Kind, QueueType, kind_of, split


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """What an operator chooses beside the broker's address."""

    queue_type: QueueType = QueueType.CLASSIC
    """Of RabbitMQ's queues."""

    redis_prefix: str = ""
    """What stands before all that is named in Redis."""


DEFAULTS: Final = BrokerOptions()


def queue_arguments(url: str, options: BrokerOptions) -> Mapping[str, str]:
    """With what each queue is declared: told nothing, RabbitMQ goes by its virtual host."""
    if kind_of(url) is not Kind.RABBITMQ:
        return {}
    return {"x-queue-type": options.queue_type.value}


def connection_settings(url: str) -> Mapping[str, Any]:
    """Celery's settings of the connection to that broker."""
    if kind_of(url) is not Kind.RABBITMQ:
        return {"broker_url": url}
    parts = split(url)
    told = dict(parse_qsl(parts.query))
    settings: dict[str, Any] = {"broker_url": parts._replace(query="").geturl()}
    if parts.scheme == "amqps":
        settings["broker_use_ssl"] = {
            # py-amqp checks no name unless it is given one; kombu fills in the host's.
            "server_hostname": None,
            "cert_reqs": ssl.CERT_REQUIRED,
            **{_AMQPS[name]: told[name] for name in TLS_OPTIONS if name in told},
        }
    return settings


_AMQPS: Final[Mapping[str, str]] = {name: name.removeprefix("ssl_") for name in TLS_OPTIONS}
"""What py-amqp calls those options."""
