"""Whether a store honours conditional writes, which decide what may happen only once."""

from typing import Final

from gateway.errors import PreconditionFailed, StoreIncapable
from gateway.store.objects import ObjectStore

NOT_HEEDED: Final = "the store does not honour conditional writes (If-None-Match, If-Match)"

_NOBODYS: Final = '"0123456789abcdef0123456789abcdef"'
"""An ETag that no object of ours has."""


async def heeds_conditions(store: ObjectStore, key: str) -> bool:
    """Try conditional writes at `key`, which no other process uses; an object remains there.

    A store that refuses every conditional write does not honour them. Raises StoreUnavailable.
    """
    etag = (await store.put(key, b"first")).etag
    try:
        if await _refuses(store, key, same=etag):
            return False
        return await _refuses(store, key, absent=True) and await _refuses(store, key, same=_NOBODYS)
    except StoreIncapable:
        return False


async def _refuses(
    store: ObjectStore, key: str, *, absent: bool = False, same: str | None = None
) -> bool:
    try:
        await store.put(key, b"second", if_none_match=absent, if_match=same)
    except PreconditionFailed:
        return True
    return False
