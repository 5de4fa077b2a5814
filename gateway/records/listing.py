"""Lists all objects of each upload: merges the bucket's listings by the uploads' ids."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing

from gateway.store.objects import ObjectInfo, ObjectStore
from gateway.uploads import keys


async def merged(
    store: ObjectStore, prefixes: Sequence[str], after: str | None
) -> AsyncGenerator[Mapping[str, ObjectInfo], None]:
    """The objects of each upload, by prefix; the uploads are ordered by id.

    Begins after the id `after`. Pages are fetched when needed, so an object that moves from one
    prefix to another in the meantime may appear under neither. Deeper keys are ignored, such as a
    copy of the prefix inside itself. Raises StoreUnavailable.
    """
    async with AsyncExitStack() as stack:
        listings = {
            prefix: await stack.enter_async_context(
                aclosing(_flat(store, prefix, prefix + after if after is not None else None))
            )
            for prefix in prefixes
        }
        heads = {prefix: await anext(listing, None) for prefix, listing in listings.items()}
        while known := [keys.id_of(head.key) for head in heads.values() if head is not None]:
            first = min(known)
            found = {
                prefix: head
                for prefix, head in heads.items()
                if head is not None and keys.id_of(head.key) == first
            }
            yield found
            for prefix in found:
                heads[prefix] = await anext(listings[prefix], None)


async def _flat(
    store: ObjectStore, prefix: str, after: str | None
) -> AsyncGenerator[ObjectInfo, None]:
    """The objects directly under the prefix, but not the prefix itself, as consoles make it."""
    async with aclosing(store.list(prefix, after)) as listing:
        async for info in listing:
            if info.key != prefix and "/" not in info.key[len(prefix) :]:
                yield info
