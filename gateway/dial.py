"""Connects to the address of a host name that answers first.

Source: RFC 8305. asyncio can do it as well, but leaves a socket open if its caller is cancelled at
the moment of success (https://github.com/python/cpython/issues/124309, in Python 3.11).
"""

import asyncio
import socket
from typing import Final

from aiohappyeyeballs import start_connection

_NEXT_ADDRESS_SECONDS: Final = 0.25
"""Seconds after which the next address is tried as well."""


async def dial(host: str, port: int) -> socket.socket:
    """A connected socket that does not block. The caller limits the time. Raises OSError."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS)
