"""Connections to Redis for asyncio, none of which outlives the server's role."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Self, cast

from redis._parsers import _AsyncHiredisParser
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.redis.replies import WrongServer, told_apart

CONNECTIONS: Final = 50
"""Who finds them all in use waits: being busy is not being away."""

SECONDS: Final = 2.0
"""The longest that one call to Redis may take: a frozen one must hang nobody."""

_ADDRESSES: Final = {"happy_eyeballs_delay": 0.25}
"""Seconds after which the next address is tried as well."""


class _Parser(_AsyncHiredisParser):
    """Tells wrong servers from right ones that refuse."""

    def __init__(self, leave: Callable[[], None], socket_read_size: int) -> None:
        super().__init__(socket_read_size)
        self._leave = leave

    def parse_error(self, response: str) -> Exception:  # type: ignore[override] # of this object
        error = told_apart(response)
        if isinstance(error, WrongServer):
            self._leave()
        return error or cast(Exception, super().parse_error(response))  # type: ignore[no-untyped-call]


class _Connection(Connection):
    """Tries the next address of the name if the first does not answer soon (RFC 8305)."""

    def _connection_arguments(self) -> Mapping[str, object]:
        return {**super()._connection_arguments(), **_ADDRESSES}


class _SecureConnection(SSLConnection):
    """The same with TLS."""

    def _connection_arguments(self) -> Mapping[str, object]:
        return {**super()._connection_arguments(), **_ADDRESSES}


class RolePool(BlockingConnectionPool):
    """A pool that is emptied by the first answer of a wrong server.

    What that server was asked is asked once more on a new connection, which may lead to another;
    where it does not, WrongServer is raised, a ConnectionError of redis-py's.
    """

    @classmethod
    def of(cls, url: str) -> Self:
        """The pool of clients of the URL."""
        pool = cls.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=SECONDS,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            retry=Retry(NoBackoff(), 1, supported_errors=(WrongServer,)),
        )
        secure = issubclass(pool.connection_class, SSLConnection)
        pool.connection_class = _SecureConnection if secure else _Connection
        pool.connection_kwargs["parser_class"] = partial(_Parser, pool.leave)
        return pool

    def leave(self) -> None:
        """Have every connection made anew before it is used again."""
        for connection in (*self._available_connections, *self._in_use_connections):
            connection.mark_for_reconnect()  # type: ignore[no-untyped-call]

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """As above: redis-py looks at that mark when a connection is given back only."""
        if connection.should_reconnect():  # type: ignore[no-untyped-call]
            await connection.disconnect()
        await super().ensure_connection(connection)
