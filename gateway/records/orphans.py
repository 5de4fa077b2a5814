"""Marks of complete files that have no record: since when, and of which uploads.

The record has been missing for at least the age of the mark. The mark's content is a hint whether
Redis remembered that the upload was accepted; a listing shows it by the object's size.
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
    """The file has a record, or is gone. Raises StoreUnavailable."""
    await store.delete(keys.orphan(upload_id))


def was_accepted(marked: ObjectInfo) -> bool:
    """Whether the upload is known to have been accepted before it lost its record. Pure."""
    return marked.size > 0


async def is_remembered(redis: Redis, upload: Upload) -> bool:
    """Whether Redis has the upload in its subject's list, as it has after the acceptance.

    Redis forgets: that it does not have it means nothing. Raises RedisError.
    """
    return await redis.zscore(keys.of_subject(upload.subject), upload.id) is not None
