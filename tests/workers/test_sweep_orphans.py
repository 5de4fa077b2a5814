"""Complete files without a record: marked, counted, and given up after days, a few at a time."""

import pytest

from gateway.backends import Backends
from gateway.records import backlog_snapshot
from gateway.records.spare import spare_of
from gateway.store.writer import ObjectWriter
from gateway.uploads import keys
from gateway.uploads.ids import new_id
from tests.flows import files
from tests.servers.aged_store import sweep_later
from tests.workers.test_sweep import LATER, stored_upload

pytestmark = pytest.mark.slow


async def orphans_found(backends: Backends) -> backlog_snapshot.Orphans:
    """As metrics tell."""
    found = await backlog_snapshot.look(backends.redis)
    return found.orphans if found is not None else backlog_snapshot.Orphans()


async def test_what_has_lost_its_record_is_counted_until_it_has_one_again(
    own_backends: Backends,
) -> None:
    accepted, unknown = stored_upload(), stored_upload()
    for upload in (accepted, unknown):
        writer = ObjectWriter(own_backends.store, keys.incoming(upload.id))
        await writer.write(files.PNG)
        await writer.finish(spare_of(upload, own_backends.ring))
    await own_backends.ledger.accept(accepted)
    await own_backends.ledger.forget_pending(accepted.id)  # as an operator's slip does
    await sweep_later(own_backends, LATER)
    assert await orphans_found(own_backends) == backlog_snapshot.Orphans(accepted=1, unknown=1)
    await own_backends.ledger.accept(unknown)
    await own_backends.ledger.recover(accepted)
    await sweep_later(own_backends, LATER)
    assert await orphans_found(own_backends) == backlog_snapshot.Orphans()


async def test_removals_of_one_sweep_pass_are_bounded(
    own_backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.sweep.orphans.MOST_REMOVED", 2)
    for _ in range(5):
        await own_backends.store.put(keys.incoming(new_id()), files.PNG)
    left = []
    for _ in range(4):
        await sweep_later(own_backends, LATER)
        left.append(len([info async for info in own_backends.store.list(keys.INCOMING)]))
    assert left == [5, 3, 1, 0]
