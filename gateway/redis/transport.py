"""Celery's broker on Redis, for kombu: a connection to a wrong server is a lost connection."""

from collections.abc import Mapping
from typing import Any, Final, cast

from kombu.transport import TRANSPORT_ALIASES
from redis import Connection, ConnectionPool, SSLConnection
from redis.backoff import NoBackoff
from redis.connection import ConnectionInterface
from redis.retry import Retry

from gateway.guards.kombu_redis import GivenUpConnection, KnownErrors, PrefixedQueues
from gateway.guards.redis_py import AnswersInOrder
from gateway.internals.redis_py import HiredisParser
from gateway.redis.address import RedisAddress, is_redis
from gateway.redis.replies import WrongServer, told_apart
from gateway.redis.sentinels import SentinelsForThreads

_HEALTH_SECONDS: Final = 5
"""Between looks at the connections that wait for messages, which would wait for good for a server
that stands still, or whose host is gone: they are given up after about twice as long.
"""

_BY_SENTINEL: Final = "sentinel"
"""A scheme of kombu's, which for its own transport means less."""

_addresses: Final[dict[str, RedisAddress]] = {}
"""By what is told of them: what kombu knows, a worker tells whoever asks it, passwords included."""


class _Parser(HiredisParser):
    @classmethod
    def parse_error(cls, response: str) -> Exception:
        error = told_apart(response) or super().parse_error(response)  # type: ignore[no-untyped-call]
        return cast(Exception, error)


class _Connection(Connection):
    def __init__(self, **options: object) -> None:
        super().__init__(**options, parser_class=_Parser)  # type: ignore[no-untyped-call]


class _SecureConnection(SSLConnection):
    def __init__(self, **options: object) -> None:
        super().__init__(**options, parser_class=_Parser)  # type: ignore[arg-type]


class _NamedConnection(AnswersInOrder, _Connection):
    """Leads to the server that the sentinels name when it is made."""


class _SecureNamedConnection(AnswersInOrder, _SecureConnection):
    """The same with TLS."""


class _Pool(ConnectionPool):
    """Where one connection ended, no other one is trusted, each of which would have to time out."""

    def release(self, connection: ConnectionInterface) -> None:
        ended = not connection.is_connected
        super().release(connection)  # type: ignore[arg-type]
        if ended:
            self.disconnect(inuse_connections=False)


class Channel(GivenUpConnection, PrefixedQueues):
    """What consumes and sends."""

    connection_class = _Connection
    connection_class_ssl = _SecureConnection

    def _get_pool(self, asynchronous: bool = False) -> ConnectionPool:  # noqa: FBT001, FBT002 - kombu's
        params = self._connparams(asynchronous)
        self.keyprefix_fanout = self.keyprefix_fanout.format(db=params["db"])
        pool = _Pool(**params)
        # What waits for messages is not asked again: it would wait here, and nothing else be done.
        if not asynchronous:
            pool.connection_kwargs["retry"] = Retry(NoBackoff(), 1, supported_errors=(WrongServer,))
        return pool


class SentinelChannel(Channel):
    """The same, with the server that sentinels name."""

    from_transport_options = (*Channel.from_transport_options, "address")
    connection_class = _NamedConnection

    address: str
    """What is told of the address."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        address = _addresses[self.address]
        if address.tls:
            self.connection_class = _SecureNamedConnection  # type: ignore[assignment]
        params: dict[str, Any] = super()._connparams(asynchronous)
        del params["host"], params["port"]
        sentinels = SentinelsForThreads(address)
        if asynchronous:  # by these names kombu finds what it closes
            self._async_sentinel_manager = sentinels
        else:
            self._sentinel_manager = sentinels
        return {**params, **address.for_kombu, "connection_pool": sentinels}


class Transport(KnownErrors):
    """What the URLs of Redis stand for."""

    Channel = Channel


class SentinelTransport(Transport):
    """What stands for a Redis behind sentinels; `for_kombu` makes its URL."""

    Channel = SentinelChannel


def be_known() -> None:
    """Have kombu take these transports for Redis: before its first look, which it remembers."""
    of_redis = dict.fromkeys(("redis", "rediss"), f"{__name__}:{Transport.__name__}")
    TRANSPORT_ALIASES.update(of_redis)
    TRANSPORT_ALIASES[_BY_SENTINEL] = f"{__name__}:{SentinelTransport.__name__}"


def for_kombu(url: str, prefix: str) -> tuple[str, Mapping[str, object]]:
    """A broker's URL as kombu takes it, and transport options of kombu's that belong to it.

    `prefix` stands before all keys and channels of a Redis. Raises ValueError.
    """
    if not is_redis(url):
        return url, {}
    options: dict[str, object] = {
        "global_keyprefix": prefix,
        "health_check_interval": _HEALTH_SECONDS,
    }
    address = RedisAddress.of(url)
    if address.master is None:
        return url, options
    _addresses[str(address)] = address
    named = f"{_BY_SENTINEL}://{address.hosts[0]}/{address.options['db']}"
    return named, options | {"address": str(address)}
