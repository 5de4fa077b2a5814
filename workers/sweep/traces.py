"""All objects of each upload in the bucket, one upload after the other."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from gateway.records.listing import merged
from gateway.store.objects import ObjectInfo, ObjectStore
from gateway.uploads import keys

_PREFIXES: Final = (keys.INCOMING, keys.PENDING, keys.RECORDS, keys.SPARES, keys.ORPHANS)


@dataclass(frozen=True, slots=True)
class Traces:
    """All objects of one upload in the bucket."""

    upload_id: str
    incoming: ObjectInfo | None
    pending: ObjectInfo | None
    record: ObjectInfo | None
    spare: ObjectInfo | None
    mark: ObjectInfo | None

    @property
    def has_record(self) -> bool:
        """Whether a record of the upload exists."""
        return self.pending is not None or self.record is not None


async def all_traces(store: ObjectStore, after: str | None) -> AsyncGenerator[Traces, None]:
    """The objects of each upload after that id, in the order of the ids.

    Raises StoreUnavailable.
    """
    async with aclosing(merged(store, _PREFIXES, after)) as uploads:
        async for found in uploads:
            upload_id = keys.id_of(next(iter(found.values())).key)
            yield Traces(upload_id, *map(found.get, _PREFIXES))
