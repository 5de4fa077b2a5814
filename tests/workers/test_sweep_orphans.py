"""Complete files without a record: marked, counted, and given up after days, a few at a time."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from gateway.backends import Backends
from gateway.records import backlog_snapshot
from gateway.records.spare import spare_of
from gateway.store.writer import ObjectWriter
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from tests.flows import files
from tests.servers.aged_store import open_aged_backends, sweep_later
from tests.workers.test_sweep import LATER, stored_upload

pytestmark = pytest.mark.slow


@pytest.fixture
async def backends(environ: dict[str, str], own_redis_url: str) -> AsyncIterator[Backends]:
    """With a bucket that nobody else fills or sweeps."""
    own = {
        "GATEWAY_REDIS_URL": own_redis_url,
        "GATEWAY_BROKER_URL": own_redis_url,
        "GATEWAY_S3_BUCKET": f"orphans-{uuid4()}",
    }
    async with open_aged_backends(environ | own) as opened:
        yield opened


async def orphans_found(backends: Backends) -> backlog_snapshot.Orphans:
    """As metrics tell."""
    found = await backlog_snapshot.look(backends.redis)
    return found.orphans if found is not None else backlog_snapshot.Orphans()


async def test_what_has_lost_its_record_is_counted_until_it_has_one_again(
    backends: Backends,
) -> None:
    accepted, unknown = stored_upload(), stored_upload()
    for upload in (accepted, unknown):
        writer = ObjectWriter(backends.store, keys.incoming(upload.id))
        await writer.write(files.PNG)
        await writer.finish(spare_of(upload, backends.ring))
    await backends.ledger.accept(accepted)
    await backends.ledger.forget_pending(accepted.id)  # as an operator's slip does
    await sweep_later(backends, LATER)
    assert await orphans_found(backends) == backlog_snapshot.Orphans(accepted=1, unknown=1)
    await backends.ledger.accept(unknown)
    await backends.ledger.recover(accepted)
    await sweep_later(backends, LATER)
    assert await orphans_found(backends) == backlog_snapshot.Orphans()


async def test_removals_of_one_sweep_pass_are_bounded(
    backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.sweep.orphans.MOST_REMOVED", 2)
    for _ in range(5):
        await backends.store.put(keys.incoming(new_id()), files.PNG)
    left = []
    for _ in range(4):
        await sweep_later(backends, LATER)
        left.append(len([info async for info in backends.store.list(keys.INCOMING)]))
    assert left == [5, 3, 1, 0]
