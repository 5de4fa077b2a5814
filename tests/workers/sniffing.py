"""Sniffs of whole files in memory, and what they read."""

from gateway.uploads.policy import Sniffed
from workers.sniff import Sniffer


async def sniff(sniffer: Sniffer, data: bytes) -> tuple[Sniffed, list[int]]:
    """What the file is, and how many of its bytes each request read."""
    read = []

    async def read_range(start: int, length: int) -> bytes:
        assert 0 <= start < start + length <= len(data)
        read.append(length)
        return data[start : start + length]

    return await sniffer.sniff(len(data), read_range), read
