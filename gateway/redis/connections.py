"""Connections of redis-py's that can be cancelled, and that try all addresses of a name."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from redis.asyncio.connection import AbstractConnection, SSLConnection
from redis.asyncio.connection import Connection as PlainConnection
from redis.exceptions import TimeoutError as RedisTimeout

_ADDRESSES: Final = {"happy_eyeballs_delay": 0.25}
"""Seconds after which the next address is tried as well."""


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


class Connection(_Sending, PlainConnection):
    """Tries the next address of the name if the first does not answer soon (RFC 8305)."""

    def _connection_arguments(self) -> Mapping[str, object]:
        return {**super()._connection_arguments(), **_ADDRESSES}


class SecureConnection(_Sending, SSLConnection):
    """The same with TLS."""

    def _connection_arguments(self) -> Mapping[str, object]:
        return {**super()._connection_arguments(), **_ADDRESSES}
