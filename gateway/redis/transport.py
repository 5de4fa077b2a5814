"""Celery's broker on Redis, for kombu: a connection to a wrong server counts as lost."""

from collections.abc import Mapping
from typing import Any, Final, cast

from kombu.transport import TRANSPORT_ALIASES
from redis import Connection, ConnectionPool, Redis, SSLConnection
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
"""Seconds between checks of the connections that wait for messages. If a server is frozen or its
host is gone, they are closed after about twice as long; otherwise they would wait for ever.
"""

_ONE_PRIORITY: Final = (0,)
"""All tasks have the same. By default kombu waits for messages of four in each queue: a worker
would wait on 28 keys, and build that command anew for each message.
"""

_BY_SENTINEL: Final = "sentinel"
"""A scheme of kombu's; kombu's own transport for it does less."""

_addresses: Final[dict[str, RedisAddress]] = {}
"""The addresses by their public names: a worker shows kombu's URL to anyone who asks, with its
password."""


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
    """Connects to the server that the sentinels name at that time."""


class _SecureNamedConnection(AnswersInOrder, _SecureConnection):
    """The same with TLS."""


class _Pool(ConnectionPool):
    """Closes all connections when one is lost, since each of the others would have to time out."""

    def release(self, connection: ConnectionInterface) -> None:
        ended = not connection.is_connected
        super().release(connection)  # type: ignore[arg-type]
        if ended:
            self.disconnect(inuse_connections=False)


class Channel(GivenUpConnection, PrefixedQueues):
    """Consumes and sends messages."""

    connection_class = _Connection
    connection_class_ssl = _SecureConnection
    _client_of_pool: Redis | None = None

    def _create_client(self, asynchronous: bool = False) -> Redis:  # noqa: FBT001, FBT002 - kombu's
        """The client of the pool: kombu makes one for each command, a tenth of a worker's work."""
        create = super()._create_client  # type: ignore[misc]
        if asynchronous:
            return cast(Redis, create(asynchronous))
        if self._client_of_pool is None or self._client_of_pool.connection_pool is not self.pool:
            self._client_of_pool = cast(Redis, create())
        return self._client_of_pool

    def _get_pool(self, asynchronous: bool = False) -> ConnectionPool:  # noqa: FBT001, FBT002 - kombu's
        params = self._connparams(asynchronous)
        self.keyprefix_fanout = self.keyprefix_fanout.format(db=params["db"])
        pool = _Pool(**params)
        # A command that waits for messages is not repeated: it would block everything else here.
        if not asynchronous:
            pool.connection_kwargs["retry"] = Retry(NoBackoff(), 1, supported_errors=(WrongServer,))
        return pool


class SentinelChannel(Channel):
    """The same, for a server that sentinels name."""

    from_transport_options = (*Channel.from_transport_options, "address")
    connection_class = _NamedConnection

    address: str
    """The public name of the address."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        address = _addresses[self.address]
        if address.tls:
            self.connection_class = _SecureNamedConnection  # type: ignore[assignment]
        params: dict[str, Any] = super()._connparams(asynchronous)
        del params["host"], params["port"]
        sentinels = SentinelsForThreads(address)
        if asynchronous:  # kombu closes connections by these names
            self._async_sentinel_manager = sentinels
        else:
            self._sentinel_manager = sentinels
        return {**params, **address.for_kombu, "connection_pool": sentinels}


class Transport(KnownErrors):
    """The transport of `redis://` and `rediss://`."""

    Channel = Channel


class SentinelTransport(Transport):
    """The transport of a Redis behind sentinels; `for_kombu` makes its URL."""

    Channel = SentinelChannel


def be_known() -> None:
    """Have kombu use these transports for Redis. Call it before kombu looks its transports up."""
    of_redis = dict.fromkeys(("redis", "rediss"), f"{__name__}:{Transport.__name__}")
    TRANSPORT_ALIASES.update(of_redis)
    TRANSPORT_ALIASES[_BY_SENTINEL] = f"{__name__}:{SentinelTransport.__name__}"


def for_kombu(url: str, prefix: str) -> tuple[str, Mapping[str, object]]:
    """A broker's URL for kombu, and the transport options that belong to it.

    `prefix` is put before all keys and channels of a Redis. Raises ValueError.
    """
    if not is_redis(url):
        return url, {}
    options: dict[str, object] = {
        "global_keyprefix": prefix,
        "health_check_interval": _HEALTH_SECONDS,
        "priority_steps": _ONE_PRIORITY,
    }
    address = RedisAddress.of(url)
    if address.master is None:
        return url, options
    _addresses[str(address)] = address
    named = f"{_BY_SENTINEL}://{address.hosts[0]}/{address.options['db']}"
    return named, options | {"address": str(address)}
