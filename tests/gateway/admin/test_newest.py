"""The newest uploads of a bucket, by stretches: on a real store, and the widths by properties."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.newest import LISTED, Bound, Stretch, earlier, newest, next_width, shrunk
from gateway.admin.search import Query
from gateway.stack.seaweedfs import SeaweedFS
from gateway.store.objects import ObjectInfo
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from tests.pages.ground import id_at, own_bucket

ENDED = Query(states=frozenset({"failed"}))
WIDEST = 1 << 128

numbers = st.integers(0, WIDEST)


@given(st.lists(numbers, min_size=3, max_size=3, unique=True).map(sorted))
def test_a_stretch_shrinks_by_half_and_past_what_was_shown_and_keeps_its_end(
    three: list[int],
) -> None:
    low, last, high = three
    smaller = shrunk(Stretch(low, high), last)
    assert smaller.high == high
    assert last <= smaller.low < high
    assert 2 * (high - smaller.low) <= max(2, high - low)


@given(st.tuples(numbers, numbers, numbers).map(sorted), st.integers(0, 2 * LISTED))
def test_stretches_leave_no_id_between_them(three: list[int], found: int) -> None:
    floor, low, high = three
    stretch = Stretch(low, high)
    next_one = earlier(stretch, next_width(stretch, found), floor)
    # Neither holds its ends: the id at the lower end of this one is in the next.
    assert next_one.high == low + 1
    assert floor <= next_one.low <= next_one.high or low == floor


class CountingStore(S3Store):
    """The store, which counts listings and the keys that it showed."""

    listings = 0
    most_shown = 0

    async def list(
        self, prefix: str, start_after: str | None = None
    ) -> AsyncGenerator[ObjectInfo, None]:
        type(self).listings += 1
        shown = 0
        async for info in super().list(prefix, start_after):
            shown += 1
            type(self).most_shown = max(self.most_shown, shown)
            yield info


@pytest.fixture
async def store(
    seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[CountingStore]:
    monkeypatch.setattr("tests.servers.fixtures.S3Store", CountingStore)
    async with own_bucket(seaweedfs) as (_, opened):
        assert isinstance(opened, CountingStore)
        yield opened


def spread() -> Sequence[str]:
    """Ids of 1,250 uploads: a burst of a second, a day's, and a few of years ago."""
    now = time.time()
    burst = [id_at(now - 7_000 - number / 1_000) for number in range(1_050)]
    day = [id_at(now - 600 * number) for number in range(150)]
    old = [id_at(now - 3e7 * number / 10) for number in range(1, 51)]
    return sorted([*burst, *day, *old], reverse=True)


@pytest.mark.slow
async def test_page_by_page_every_upload_is_found_once(store: CountingStore) -> None:
    ids = spread()
    for start in range(0, len(ids), 50):
        some = ids[start : start + 50]
        await asyncio.gather(*(store.put(keys.record(each), b"{}") for each in some))
    found: list[str] = []
    before: str | None = None
    query = Query(everything=True)
    while not found or before is not None:
        CountingStore.listings = CountingStore.most_shown = 0
        batch = await newest(
            store, query, lambda _: True, Bound(rows=400, reads=400), earlier_than=before
        )
        assert CountingStore.listings <= 24 * len(query.prefixes)
        assert CountingStore.most_shown <= LISTED
        assert batch.read <= 400
        found += [each.upload_id for each in batch.found]
        before = batch.before
    assert found == list(ids)


async def test_a_search_without_matches_reads_a_bounded_stretch_and_goes_on(
    store: CountingStore,
) -> None:
    now = time.time()
    ids = sorted((id_at(now - number) for number in range(100)), reverse=True)
    await asyncio.gather(*(store.put(keys.record(each), b"{}") for each in ids))
    read, before, rounds = 0, None, 0
    while rounds == 0 or before is not None:
        batch = await newest(
            store, ENDED, lambda _: True, Bound(rows=10, reads=40), earlier_than=before
        )
        assert batch.found == []
        read, before, rounds = read + batch.read, batch.before, rounds + 1
    assert (read, rounds) == (100, 3)


async def test_an_empty_bucket_has_an_end(store: CountingStore) -> None:
    batch = await newest(store, Query(everything=True), lambda _: True, Bound(rows=10, reads=10))
    assert (batch.found, batch.read, batch.before) == ([], 0, None)


async def test_ages_bound_the_search(store: CountingStore) -> None:
    now = time.time()
    ids = [id_at(now - age) for age in (10, 100, 1_000, 10_000)]
    await asyncio.gather(*(store.put(keys.record(each), b"{}") for each in ids))
    query = Query(everything=True, since=now - 5_000, until=now - 50)
    batch = await newest(store, query, lambda _: True, Bound(rows=10, reads=10))
    assert [each.upload_id for each in batch.found] == ids[1:3]
    assert batch.before is None
