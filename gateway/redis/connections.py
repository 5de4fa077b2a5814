"""Connections of redis-py's that can be cancelled, and that try all addresses of a name."""

from collections.abc import Mapping
from typing import Final

from redis.asyncio.connection import Connection as PlainConnection
from redis.asyncio.connection import SSLConnection

from gateway.guards.redis_py import CancellableSending

_ADDRESSES: Final = {"happy_eyeballs_delay": 0.25}
"""Seconds after which the next address is tried as well."""


class Connection(CancellableSending, PlainConnection):
    """Tries the next address of the name if the first does not answer soon (RFC 8305)."""

    def _connection_arguments(self) -> Mapping[str, object]:
        return {**super()._connection_arguments(), **_ADDRESSES}


class SecureConnection(CancellableSending, SSLConnection):
    """The same with TLS."""

    def _connection_arguments(self) -> Mapping[str, object]:
        return {**super()._connection_arguments(), **_ADDRESSES}
