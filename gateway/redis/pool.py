"""Connections to Redis for asyncio, which are closed if the server changes its role."""

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
"""The most connections; callers that find all in use wait, since busy is not unavailable."""

SECONDS: Final = 2.0
"""The longest that one call to Redis may take: a frozen one must not block callers."""


class _Parser(AsyncHiredisParser):
    """Distinguishes wrong servers from right ones that refuse a command."""

    def __init__(self, leave: Callable[[], None], socket_read_size: int) -> None:
        super().__init__(socket_read_size)
        self._leave = leave

    def parse_error(self, response: str) -> Exception:  # type: ignore[override] # of this object
        error = told_apart(response)
        if isinstance(error, WrongServer):
            self._leave()
        return error or cast(Exception, super().parse_error(response))  # type: ignore[no-untyped-call]


class _NamedConnection(SentinelManagedConnection, Connection):
    """Connects to the server that the sentinels name at that time."""


class _SecureNamedConnection(SentinelManagedConnection, SecureConnection):
    """The same with TLS."""


class RolePool(BlockingConnectionPool):
    """A pool that closes all connections after the first answer of a wrong server.

    The command is sent once more on a new connection, which may reach another server. If it does
    not, WrongServer is raised, one of redis-py's ConnectionErrors. With sentinels, each new
    connection asks them for the server, and may raise PrimaryUnknown.
    """

    @classmethod
    def of(cls, url: str, **options: object) -> Self:
        """The pool for the URL, with further options of redis-py.

        Raises ValueError for an invalid URL.
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
        """Close all connections, including those to sentinels."""
        await super().aclose()
        if self._sentinels is not None:
            await self._sentinels.aclose()

    def leave(self) -> None:
        """Have every connection reconnect before it is used again."""
        for connection in (*self._available_connections, *self._in_use_connections):
            connection.mark_for_reconnect()  # type: ignore[no-untyped-call]

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """Reconnect a marked connection: redis-py does so only when it is returned to the pool."""
        if connection.should_reconnect():  # type: ignore[no-untyped-call]
            await connection.disconnect()
        await super().ensure_connection(connection)
