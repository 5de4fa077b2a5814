"""What the bucket has of each upload: its listings, merged by the uploads' ids."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing

from gateway.store.objects import ObjectInfo, ObjectStore
from gateway.uploads import keys


async def merged(
    store: ObjectStore, prefixes: Sequence[str], after: str | None
) -> AsyncGenerator[Mapping[str, ObjectInfo], None]:
    """The objects of one upload after the other, by their prefixes, in the order of the ids.

    It begins after the id `after`. Pages are asked for as they are needed, so what moves from one
    prefix to another meanwhile may be seen at neither. What lies deeper, as a copy of the prefix in
    itself does, is ignored, whatever it is called. Raises StoreUnavailable.
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
    """The objects right under the prefix; consoles make one of the prefix itself."""
    async with aclosing(store.list(prefix, after)) as listing:
        async for info in listing:
            if info.key != prefix and "/" not in info.key[len(prefix) :]:
                yield info
