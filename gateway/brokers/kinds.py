"""Which brokers can be used, by their URLs, and why others cannot. Pure."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit


class BrokerKind(StrEnum):
    """The brokers that can be used."""

    REDIS = "redis"
    RABBITMQ = "amqp"
    SQS = "sqs"


class QueueType(StrEnum):
    """The types of queues in RabbitMQ; other brokers have only one."""

    CLASSIC = "classic"
    QUORUM = "quorum"


_KINDS: Final[Mapping[str, BrokerKind]] = {
    "redis": BrokerKind.REDIS,
    "rediss": BrokerKind.REDIS,
    "redis+sentinel": BrokerKind.REDIS,
    "rediss+sentinel": BrokerKind.REDIS,
    "amqp": BrokerKind.RABBITMQ,
    "amqps": BrokerKind.RABBITMQ,
    "pyamqp": BrokerKind.RABBITMQ,
    "sqs": BrokerKind.SQS,
}
_CHOICE: Final = "use Redis (redis://), RabbitMQ (amqp://) or SQS (sqs://)"
_WHY_NOT: Final[Mapping[str, str]] = {
    "memory": "memory:// keeps tasks within one process, where no worker sees them",
    "filesystem": "filesystem:// keeps tasks on one machine, and loses them when a worker ends",
    "librabbitmq": "librabbitmq:// is no longer maintained; write amqp://",
    "http": "http:// is not a broker's address",
    "https": "https:// is not a broker's address; for SQS write sqs://",
}
SQS_QUEUES: Final = r"[\w-]{0,60}|https?://[^\s?#]+/[\w-]{0,60}"
"""What may precede a queue's name in SQS, or its URL."""

TLS_OPTIONS: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OPTIONS: Final[Mapping[BrokerKind, tuple[str, ...]]] = {
    BrokerKind.RABBITMQ: TLS_OPTIONS,
    BrokerKind.SQS: ("is_secure",),
}
_ENCODE: Final = (
    "cannot be read: percent-encode the user, the password and the virtual host"
    " (/ is %2F, @ is %40, : is %3A, # is %23, ? is %3F, % is %25)"
)


def kind_of(url: str) -> BrokerKind:
    """The kind of broker that a URL stands for.

    Raises ValueError if it names no broker; the text contains nothing of the URL but its scheme.
    """
    scheme = url.partition("://")[0].lower()
    if kind := _KINDS.get(scheme):
        return kind
    if "://" not in url or not re.fullmatch(r"[a-z][a-z0-9+]*", scheme):
        raise ValueError(f"is not a URL; {_CHOICE}")
    if why := _WHY_NOT.get(scheme):
        raise ValueError(f"{why}; {_CHOICE}" if "write" not in why else why)
    raise ValueError(f"{scheme}:// is not a broker that the gateway works with; {_CHOICE}")


def check_address(url: str) -> None:
    """Raises ValueError for the address of a RabbitMQ or of SQS that cannot be read."""
    kind = kind_of(url)
    parts = split(url)
    for name in dict(parse_qsl(parts.query, keep_blank_values=True)):
        if name not in _OPTIONS.get(kind, ()):
            raise ValueError(f"has an unknown option: {name}")
        if name in TLS_OPTIONS and parts.scheme != "amqps":
            raise ValueError(f"{name} is an option of amqps://")


def split(url: str) -> SplitResult:
    """The parts of an address. Raises ValueError if a part is not percent-encoded."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # which may repeat some of a password
        raise ValueError(_ENCODE) from None
    if "#" in url or "@" in parts.path + parts.query:  # the rest of a password, and the host
        raise ValueError(_ENCODE)
    if re.search(r"%(?![0-9A-Fa-f]{2})", parts.netloc + parts.path):
        raise ValueError(_ENCODE)
    return parts
