"""What the bucket has of each upload, from one upload to the next."""

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
    """What the bucket has of one upload."""

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
    """What the bucket has of each upload after that id, in the order of the ids.

    Raises StoreUnavailable.
    """
    async with aclosing(merged(store, _PREFIXES, after)) as uploads:
        async for found in uploads:
            upload_id = keys.id_of(next(iter(found.values())).key)
            yield Traces(upload_id, *map(found.get, _PREFIXES))
