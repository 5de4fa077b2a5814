"""Whether an object is what was sent, by asking the store and never by reading the object."""

from enum import Enum

from gateway.store.objects import ObjectInfo, ObjectStore


class Verification(Enum):
    """What a store says of an object's bytes."""

    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"
    """The size is right, and there are no two checksums of the whole object to compare."""


async def verify(store: ObjectStore, key: str, size: int, crc32c: int) -> Verification:
    """Hold the object against the size (bytes) and CRC32C that it should have, by one HEAD.

    Raises ObjectNotFound, StoreUnavailable.
    """
    return compare(await store.head(key), size, crc32c)


def compare(info: ObjectInfo, size: int, crc32c: int | None) -> Verification:
    """Hold what the store says of an object against what it should have. Pure.

    `crc32c` is None if it is not known.
    """
    if info.size != size:
        return Verification.DIFFERENT
    if info.crc32c is None or crc32c is None:
        return Verification.UNKNOWN
    return Verification.SAME if info.crc32c == crc32c else Verification.DIFFERENT
