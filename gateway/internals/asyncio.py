"""The private names of asyncio that are used."""

import asyncio
from typing import Any


def shrink_tls_buffer(transport: asyncio.Transport, size: int) -> None:
    """Have a connection with TLS read at most `size` bytes at once; without TLS, do nothing.

    asyncio reserves 256 KiB for the reads of each connection with TLS, as long as it is open. Call
    this between two reads.
    """
    tls: Any = getattr(transport, "_ssl_protocol", None)
    if tls is not None:
        tls.max_size = size
        tls._ssl_buffer = bytearray(size)
        tls._ssl_buffer_view = memoryview(tls._ssl_buffer)
