"""Connections to Redis for asyncio, none of which outlives the server's role."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, Self, cast

from redis._parsers import _AsyncHiredisParser
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as RedisTimeout

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


class _Sending(AbstractConnection):
    """Limits what it sends by `asyncio.timeout`.

    redis-py limits it by `asyncio.wait_for`, which swallows some cancellations on Python 3.11
    (python/cpython#86296): a loop that asks Redis then never ends. It costs a task a command, too.
    """

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - redis-py's
    ) -> None:
        limit, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(limit):
                await super().send_packed_command(command, check_health)
        except TimeoutError:
            raise RedisTimeout("Timeout writing to socket") from None
        finally:
            self.socket_timeout = limit


class _Connection(_Sending, Connection):
    """Tries the next address of the name if the first does not answer soon (RFC 8305)."""

    def _connection_arguments(self) -> Mapping[str, object]:
        return {**super()._connection_arguments(), **_ADDRESSES}


class _SecureConnection(_Sending, SSLConnection):
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
