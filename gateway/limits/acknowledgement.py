"""How long sent bytes may stay unacknowledged: a client that vanished does not even close."""

import asyncio
import socket
from contextlib import suppress
from typing import Final

_LIMIT: Final = getattr(socket, "TCP_USER_TIMEOUT", None)
_MORE_SECONDS: Final = 10.0


def limit_unacknowledged(transport: asyncio.BaseTransport, patience: float) -> None:
    """Have the kernel cut the connection if sent bytes are not acknowledged for long.

    That is twice `patience` (seconds) and a bit: a client that acknowledges, but reads nothing, is
    cut off before. By itself, Linux waits for about 15 minutes.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None and _LIMIT is not None:
        with suppress(OSError):  # it is no TCP connection, or was lost
            connection.setsockopt(
                socket.IPPROTO_TCP, _LIMIT, int(1000 * (2 * patience + _MORE_SECONDS))
            )
