"""Whether the other end of a connection on this machine has read what was sent to it."""

import asyncio
from pathlib import Path
from typing import Final

_SECONDS: Final = 60.0


async def all_is_read(writer: asyncio.StreamWriter) -> None:
    """Wait until the other process has read all that was written. Raises TimeoutError."""
    ours, its = (writer.get_extra_info(name)[1] for name in ("sockname", "peername"))
    async with asyncio.timeout(_SECONDS):
        # One after the other: the kernel's list of connections is not of one moment, and bytes
        # could leave the one queue after it was listed, and reach the other before it is.
        while writer.transport.get_write_buffer_size() or _queues(ours, its)[0]:
            await asyncio.sleep(0.05)
        while _queues(its, ours)[1]:
            await asyncio.sleep(0.05)


def _queues(local_port: int, remote_port: int) -> tuple[int, int]:
    """Bytes that one side of a connection has not sent yet, and that it has not read yet."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        ports = int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16)
        if ports == (local_port, remote_port):
            sent, received = (int(size, 16) for size in queues.split(":"))
            return sent, received
    return 0, 0
