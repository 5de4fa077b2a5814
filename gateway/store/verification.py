"""Compares an object with what was sent, by asking the store instead of reading the object."""

from enum import Enum

from gateway.store.objects import ObjectInfo, ObjectStore


class Verification(Enum):
    """What a comparison found."""

    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"
    """The size is right, but the whole object's checksum is missing on one side."""


async def verify(store: ObjectStore, key: str, size: int, crc32c: int) -> Verification:
    """Compare the object with the size (in bytes) and CRC32C that it should have, by one HEAD.

    Raises ObjectNotFound, StoreUnavailable.
    """
    return compare(await store.head(key), size, crc32c)


def compare(info: ObjectInfo, size: int, crc32c: int | None) -> Verification:
    """Compare the store's description of an object with what it should be. Pure.

    `crc32c` is None if it is not known.
    """
    if info.size != size:
        return Verification.DIFFERENT
    if info.crc32c is None or crc32c is None:
        return Verification.UNKNOWN
    return Verification.SAME if info.crc32c == crc32c else Verification.DIFFERENT
