"""Marks on complete files without a record: since when, and whether the upload was accepted.

The record has been missing for at least the age of the mark. The mark has content if Redis
remembered that the upload was accepted; a listing shows that by the object's size.
"""

from typing import Final

from redis.asyncio import Redis

from gateway.store.objects import ObjectInfo, ObjectStore
from gateway.uploads import keys
from gateway.uploads.record import Upload

_ACCEPTED: Final = b"accepted"


async def mark(store: ObjectStore, upload_id: str, *, accepted: bool) -> None:
    """Mark a file that was found without a record. Raises StoreUnavailable."""
    await store.put(keys.orphan(upload_id), _ACCEPTED if accepted else b"")


async def unmark(store: ObjectStore, upload_id: str) -> None:
    """Remove the mark of a file that has a record, or is gone. Raises StoreUnavailable."""
    await store.delete(keys.orphan(upload_id))


def was_accepted(marked: ObjectInfo) -> bool:
    """Whether the upload is known to have been accepted before it lost its record. Pure."""
    return marked.size > 0


async def is_remembered(redis: Redis, upload: Upload) -> bool:
    """Whether Redis has the upload in its subject's list, where each accepted upload is added.

    Redis may forget, so a missing entry proves nothing. Raises RedisError.
    """
    return await redis.zscore(keys.of_subject(upload.subject), upload.id) is not None
