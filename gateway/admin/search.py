"""Finds uploads that match a query, the oldest first, however many the bucket has.

Up to four listings are merged page by page; records are read a few at a time.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from gateway.admin.bucket import DEAD, Found, read, read_session
from gateway.records.listing import merged
from gateway.store.objects import ObjectInfo, ObjectStore
from gateway.terminal import Count
from gateway.uploads import keys
from gateway.uploads.ids import first_id_at, parse_id
from gateway.uploads.lifecycle import is_end
from gateway.uploads.record import State

_AT_A_TIME: Final = 16

Place = Mapping[str, ObjectInfo]
"""The records of one upload, by the prefixes of their keys."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for; without states: pending uploads, or `everything` that is readable.

    Only uploads that began between `since` and `until` (seconds since the epoch) match.
    """

    states: frozenset[str] = frozenset()
    everything: bool = False
    subject: str | None = None
    since: float | None = None
    until: float | None = None

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes to list."""
        if self.states == {DEAD}:
            return (keys.DEAD,)
        dead = (keys.DEAD,) if DEAD in self.states else ()
        sessions = () if self.states and self._only_ends else (keys.SESSIONS,)
        # A failed upload that was resumed still has the record of its end: both are read.
        return (keys.PENDING, *((keys.RECORDS,) if self._ends else ()), *sessions, *dead)

    @property
    def first_id(self) -> str | None:
        """The id at which the listings begin."""
        return first_id_at(self.since) if self.since is not None else None

    def is_past(self, upload_id: str) -> bool:
        """Whether neither this upload nor any later one can match."""
        return self.until is not None and upload_id >= first_id_at(self.until)

    def may_want(self, place: Place) -> bool:
        """Whether one of the records may match, by their prefixes."""
        pending_only = place.keys() == {keys.PENDING}
        return not (pending_only and self.states and self._only_ends)

    def wants(self, found: Found) -> bool:
        """Whether the upload matches."""
        if self.states and found.state not in self.states:
            return False
        subject = found.upload.subject if found.upload is not None else None
        return self.subject is None or self.subject == subject

    @property
    def _known_states(self) -> list[State]:
        return [State(state) for state in self.states - {DEAD}]

    @property
    def _ends(self) -> bool:
        return self.everything or any(map(is_end, self._known_states))

    @property
    def _only_ends(self) -> bool:
        return all(map(is_end, self._known_states))


async def search(
    store: ObjectStore, query: Query, count: Count | None = None
) -> AsyncGenerator[Found, None]:
    """The uploads that match; `count` is called for those that were read.

    Raises StoreUnavailable.
    """
    async with aclosing(_places(store, query)) as places:
        batch: list[Place] = []
        async for place in places:
            batch.append(place)
            if len(batch) == _AT_A_TIME:
                if count is not None:
                    count("read", len(batch))
                for found in await read_places(store, query, batch):
                    yield found
                batch.clear()
        for found in await read_places(store, query, batch):
            yield found


async def _places(store: ObjectStore, query: Query) -> AsyncGenerator[Place, None]:
    async with aclosing(merged(store, query.prefixes, query.first_id)) as uploads:
        async for place in uploads:
            upload_id = keys.id_of(next(iter(place.values())).key)
            if parse_id(upload_id) is None:  # no upload of ours
                continue
            if query.is_past(upload_id):
                return
            if query.may_want(place):
                yield place


async def read_places(store: ObjectStore, query: Query, places: Sequence[Place]) -> list[Found]:
    """The uploads at these places that match, read at the same time. Raises StoreUnavailable."""
    rows = await asyncio.gather(*(_read_place(store, place) for place in places))
    return [found for row in rows for found in row if query.wants(found)]


async def _read_place(store: ObjectStore, place: Place) -> list[Found]:
    dead = place.get(keys.DEAD)
    kept = [place[prefix].key for prefix in (keys.PENDING, keys.RECORDS) if prefix in place]
    found = await read(store, *kept)
    if found is None and (session := place.get(keys.SESSIONS)) is not None:
        found = await read_session(store, keys.id_of(session.key))
    rows = [Found(dead.key, dead.age)] if dead is not None else []
    return rows if found is None else [*rows, found]
