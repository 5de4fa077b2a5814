"""Connections to Redis for asyncio, none of which outlives the server's role."""

from collections.abc import Callable
from functools import partial
from typing import Final, Self, cast

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelManagedConnection
from redis.backoff import NoBackoff

from gateway.internals.redis_py import AsyncHiredisParser
from gateway.redis.address import RedisAddress
from gateway.redis.connections import Connection, SecureConnection
from gateway.redis.replies import WrongServer, told_apart
from gateway.redis.sentinels import Sentinels

CONNECTIONS: Final = 50
"""Who finds them all in use waits: being busy is not being away."""

SECONDS: Final = 2.0
"""The longest that one call to Redis may take: a frozen one must not block callers."""


class _Parser(AsyncHiredisParser):
    """Tells wrong servers from right ones that refuse."""

    def __init__(self, leave: Callable[[], None], socket_read_size: int) -> None:
        super().__init__(socket_read_size)
        self._leave = leave

    def parse_error(self, response: str) -> Exception:  # type: ignore[override] # of this object
        error = told_apart(response)
        if isinstance(error, WrongServer):
            self._leave()
        return error or cast(Exception, super().parse_error(response))  # type: ignore[no-untyped-call]


class _NamedConnection(SentinelManagedConnection, Connection):
    """Leads to the server that the sentinels name when it is made."""


class _SecureNamedConnection(SentinelManagedConnection, SecureConnection):
    """The same with TLS."""


class RolePool(BlockingConnectionPool):
    """A pool that is emptied by the first answer of a wrong server.

    What that server was asked is asked once more on a new connection, which may lead to another;
    where it does not, WrongServer is raised, a ConnectionError of redis-py's. Where sentinels name
    the server, each connection asks them before it is made, and may raise PrimaryUnknown.
    """

    @classmethod
    def of(cls, url: str, **options: object) -> Self:
        """The pool of clients of the URL, with options of redis-py's beside it.

        Raises ValueError for a URL that means nothing.
        """
        address = RedisAddress.of(url)
        usual: dict[str, object] = {
            "max_connections": CONNECTIONS,
            "timeout": SECONDS,
            "socket_timeout": SECONDS,
            "socket_connect_timeout": SECONDS,
            "retry": Retry(NoBackoff(), 1, supported_errors=(WrongServer,)),
        }
        options = {**usual, **options, **address.options}
        if address.master is None:
            plain = SecureConnection if address.tls else Connection
            ((host, port),) = address.hosts
            return cls(connection_class=plain, host=host, port=port, **options)
        named = _SecureNamedConnection if address.tls else _NamedConnection
        sentinels = Sentinels(address)
        pool = cls(connection_class=named, connection_pool=sentinels, **options)
        pool._sentinels = sentinels
        return pool

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.connection_kwargs["parser_class"] = partial(_Parser, self.leave)
        self._sentinels: Sentinels | None = None

    async def aclose(self) -> None:
        """End all connections, those to sentinels as well."""
        await super().aclose()
        if self._sentinels is not None:
            await self._sentinels.aclose()

    def leave(self) -> None:
        """Have every connection made anew before it is used again."""
        for connection in (*self._available_connections, *self._in_use_connections):
            connection.mark_for_reconnect()  # type: ignore[no-untyped-call]

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """As above: redis-py looks at that mark when a connection is given back only."""
        if connection.should_reconnect():  # type: ignore[no-untyped-call]
            await connection.disconnect()
        await super().ensure_connection(connection)
