"""Whether the other end of a connection on this machine has read what was sent to it."""

import asyncio
from pathlib import Path
from typing import Final

_SECONDS: Final = 60.0


async def all_is_read(writer: asyncio.StreamWriter) -> None:
    """Wait until the other process has read all that was written. Raises TimeoutError."""
    async with asyncio.timeout(_SECONDS):
        while _unread(writer):
            await asyncio.sleep(0.05)


def _unread(writer: asyncio.StreamWriter) -> int:
    """Bytes that this process has not sent, or that lie in the kernel."""
    our_port = writer.get_extra_info("sockname")[1]
    its_port = writer.get_extra_info("peername")[1]
    unread = int(writer.transport.get_write_buffer_size())
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        ports = int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16)
        sent, received = (int(size, 16) for size in queues.split(":"))
        if ports == (our_port, its_port):
            unread += sent
        elif ports == (its_port, our_port):
            unread += received
    return unread
