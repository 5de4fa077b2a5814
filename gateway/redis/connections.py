"""Connections of redis-py that can be cancelled, and that try all addresses of a host name."""

import asyncio
import socket
from collections.abc import Mapping

from redis.asyncio.connection import Connection as PlainConnection
from redis.asyncio.connection import SSLConnection

from gateway.dial import dial
from gateway.guards.redis_py import CancellableSending


class _Dialled(PlainConnection):
    """Tries the next address of the host name if one does not answer soon (RFC 8305)."""

    _socket: socket.socket

    async def _connect(self) -> None:
        async with asyncio.timeout(self.socket_connect_timeout):
            self._socket = await dial(self.host, int(self.port))
        await super()._connect()  # type: ignore[no-untyped-call]

    def _connection_arguments(self) -> Mapping[str, object]:
        arguments = {**super()._connection_arguments(), "sock": self._socket}
        del arguments["host"], arguments["port"]
        if "ssl" in arguments:
            arguments["server_hostname"] = self.host
        return arguments


class Connection(CancellableSending, _Dialled):
    """To a Redis without TLS."""


class SecureConnection(CancellableSending, _Dialled, SSLConnection):
    """To a Redis with TLS."""
