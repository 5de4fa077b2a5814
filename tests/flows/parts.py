"""Files of several parts that the store does not have completely yet."""

import asyncio
from collections.abc import Container
from typing import Final

from gateway.errors import ObjectNotFound
from gateway.store.objects import Multipart
from gateway.store.s3 import S3Store

_SECONDS: Final = 60.0


async def until_stored(
    store: S3Store, count: int, *, below: str = "incoming/", but: Container[str] = ()
) -> None:
    """Wait until a file whose key begins with `below`, and is not in `but`, has `count` parts."""
    async with asyncio.timeout(_SECONDS):
        while await _most_parts(store, below, but) < count:
            await asyncio.sleep(0.05)


async def _most_parts(store: S3Store, below: str, but: Container[str]) -> int:
    most = 0
    async for found in store.list_multipart_uploads(below):
        if found.key in but:
            continue
        try:
            parts = await store.parts(Multipart(found.key, found.upload_id, whole_checksum=True))
        except ObjectNotFound:  # it has just ended
            continue
        most = max(most, len(parts))
    return most
