"""Archives as the sniffer reads them, from memory."""

import asyncio

from workers import sniff
from workers.containers import TAIL_BYTES, Container


def read(data: bytes) -> tuple[Container | None, list[int]]:
    """What the archive is, and how many bytes each request read."""
    asked: list[int] = []

    async def read_range(start: int, length: int) -> bytes:
        asked.append(length)
        return data[start : start + length]

    async def look() -> Container | None:
        file = sniff._File(len(data), read_range)
        first = len(data) if len(data) <= sniff.WHOLE_BYTES else sniff.HEAD_BYTES
        head = (await file.read(0, first))[: sniff.HEAD_BYTES]
        return await sniff._archive(file, head, await file.read_last(TAIL_BYTES))

    return asyncio.run(look()), asked
