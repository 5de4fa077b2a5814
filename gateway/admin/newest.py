"""Finds uploads that match, the newest first, and never reads more than a bounded stretch.

A bucket lists keys only in ascending order, which is the order of time. So a stretch of ids is
listed at a time, back from where the last one ended. It is as wide as one listing can show: it
grows while it holds few uploads, and shrinks if it holds more.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from gateway.admin.bucket import Found
from gateway.admin.search import Place, Query, read_places
from gateway.store.objects import ObjectInfo, ObjectStore
from gateway.uploads.ids import first_id_at, parse_id

LISTED: Final = 1_000
"""Keys of one stretch and kind: what one request to a store lists at most."""

_AT_A_TIME: Final = 16
_FEW: Final = 100
_GROWTH: Final = 8
_LISTINGS: Final = 24
"""After this many listings a call begins no further stretch. Each is one request per prefix."""

_MINUTE: Final = 60_000 << 80
_PAST_ALL: Final = 1 << 128

Wants = Callable[[Found], bool]


@dataclass(frozen=True, slots=True)
class Stretch:
    """The ids between two numbers, without either."""

    low: int
    high: int

    @property
    def after(self) -> str | None:
        """The id after which a listing begins."""
        return str(UUID(int=self.low)) if self.low else None


def shrunk(stretch: Stretch, last: int) -> Stretch:
    """The end of a stretch of which one listing showed only the ids up to `last`.

    Evenly spread ids fill it by half. It is at most half as wide as before, and holds none of the
    ids that were shown: many uploads of one moment would be listed again with each half.
    """
    half = stretch.high - max(1, (last - stretch.low) // 2)
    return Stretch(max(half, last), stretch.high)


def earlier(stretch: Stretch, width: int, low: int) -> Stretch:
    """The stretch before this one, that wide unless it reaches `low`."""
    high = stretch.low + 1  # no stretch holds its ends
    return Stretch(max(low, high - width), high)


def next_width(stretch: Stretch, found: int) -> int:
    """How wide the stretch before one with `found` uploads should be."""
    if stretch.high == _PAST_ALL:
        return _MINUTE
    return (stretch.high - stretch.low) * (_GROWTH if found < _FEW else 1)


@dataclass(frozen=True, slots=True)
class Bound:
    """How much one call returns and reads at most."""

    rows: int
    reads: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The matching uploads of a stretch, and how many uploads were read to find them.

    It goes on `before` that id; None if nothing older can match.
    """

    found: Sequence[Found]
    read: int
    before: str | None


class _Reading:
    """One call: what it has found, and how far it has come."""

    def __init__(self, store: ObjectStore, query: Query, wants: Wants, bound: Bound) -> None:
        self._store = store
        self._query = query
        self._wants = wants
        self._bound = bound
        self.found: list[Found] = []
        self.read = 0

    @property
    def is_full(self) -> bool:
        return len(self.found) >= self._bound.rows or self.read >= self._bound.reads

    async def take(self, places: Mapping[str, Place]) -> str | None:
        """Read the places, the newest first; returns the id before which it had to stop."""
        ids = sorted(places, reverse=True)
        for start in range(0, len(ids), _AT_A_TIME):
            some = ids[start : start + _AT_A_TIME]
            rows = await read_places(self._store, self._query, [places[each] for each in some])
            by_id: dict[str, list[Found]] = {}
            for row in rows:
                if self._wants(row):
                    by_id.setdefault(row.upload_id, []).append(row)
            for each in some:
                if self.is_full:
                    return _after(each)
                self.read += 1
                self.found += by_id.get(each, [])
        return None


async def newest(
    store: ObjectStore, query: Query, wants: Wants, bound: Bound, *, earlier_than: str | None = None
) -> Batch:
    """The newest uploads that match, or those before an id. Raises StoreUnavailable."""
    low = _number(query.first_id) - 1 if query.first_id is not None else 0
    reading = _Reading(store, query, wants, bound)
    stretch = _first(query, earlier_than, low)
    listings = 0
    while listings < _LISTINGS:
        stretch, places, count = await _fitting(store, query, stretch)
        listings += count
        if (stopped := await reading.take(places)) is not None:
            return Batch(reading.found, reading.read, stopped)
        if stretch.low <= low:
            return Batch(reading.found, reading.read, None)
        stretch = earlier(stretch, next_width(stretch, len(places)), low)
    return Batch(reading.found, reading.read, str(UUID(int=stretch.high)))


def _first(query: Query, earlier_than: str | None, low: int) -> Stretch:
    ends = [_number(earlier_than)] if earlier_than is not None else []
    if query.until is not None:
        ends.append(_number(first_id_at(query.until)))
    if ends:
        return Stretch(max(low, min(ends) - _MINUTE), min(ends))
    # A gateway may have a clock that is ahead.
    return Stretch(max(low, _number(first_id_at(time.time()))), _PAST_ALL)


async def _fitting(
    store: ObjectStore, query: Query, stretch: Stretch
) -> tuple[Stretch, Mapping[str, Place], int]:
    """The stretch, shrunk until one listing shows all of it; what it holds; how many it took."""
    count = 0
    while True:
        count += 1
        listings = await asyncio.gather(
            *(_list(store, prefix, stretch) for prefix in query.prefixes)
        )
        cut = [list(listing)[-1] for listing in listings if len(listing) == LISTED]
        if not cut:
            return stretch, _merged(query, listings), count
        stretch = shrunk(stretch, min(map(_number, cut)))


def _merged(query: Query, listings: Sequence[Mapping[str, ObjectInfo]]) -> Mapping[str, Place]:
    places: dict[str, dict[str, ObjectInfo]] = {}
    for prefix, listing in zip(query.prefixes, listings, strict=True):
        for upload_id, info in listing.items():
            places.setdefault(upload_id, {})[prefix] = info
    return {upload_id: place for upload_id, place in places.items() if query.may_want(place)}


async def _list(store: ObjectStore, prefix: str, stretch: Stretch) -> Mapping[str, ObjectInfo]:
    """What the stretch has below the prefix, by id; if that is `LISTED`, there may be more."""
    found: dict[str, ObjectInfo] = {}
    start = prefix + stretch.after if stretch.after is not None else None
    async with aclosing(store.list(prefix, start)) as listing:
        async for info in listing:
            upload_id = info.key[len(prefix) :]
            if parse_id(upload_id) is None:  # no upload of ours
                continue
            if _number(upload_id) >= stretch.high:
                break
            found[upload_id] = info
            if len(found) == LISTED:
                break
    return found


def _number(upload_id: str) -> int:
    return UUID(upload_id).int


def _after(upload_id: str) -> str:
    """The id before which everything up to this upload, and with it, is found."""
    return str(UUID(int=_number(upload_id) + 1))
