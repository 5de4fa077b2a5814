"""One sweeper at a time, whatever becomes of Redis."""

import asyncio
from uuid import uuid4

import pytest
from msgspec.structs import replace

from gateway.store.s3 import S3Store
from gateway.uploads import keys
from workers.sweep import lease as leases


@pytest.fixture(autouse=True)
def _own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "SWEEP", f"sweep-{uuid4()}")


async def test_of_many_one_has_it(store: S3Store) -> None:
    taken = await asyncio.gather(*(leases.take(store, 0.0) for _ in range(8)))
    assert sum(lease is not None for lease in taken) == 1
    assert await leases.take(store, 0.0) is None


async def test_what_the_last_holder_knew_the_next_one_knows(store: S3Store) -> None:
    lease = await leases.take(store, 0.0)
    assert lease is not None
    lease.memory = replace(lease.memory, pending="somewhere")
    await lease.release()
    assert await leases.take(store, 3600.0) is None  # it has just been swept
    again = await leases.take(store, 0.0)
    assert again is not None
    assert again.memory.pending == "somewhere"
    assert again.memory.holder != lease.memory.holder


async def test_lost_sweep_lease_is_noticed(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = await leases.take(store, 0.0)
    assert lease is not None
    await store.put(keys.SWEEP, b"{}")  # another one has it
    await lease.renew()  # nothing is asked so soon
    monkeypatch.setattr(leases, "_RENEW_SECONDS", -1.0)
    with pytest.raises(leases.LeaseLost):
        await lease.renew()


async def test_a_memory_that_cannot_be_read_is_no_hindrance(store: S3Store) -> None:
    await store.put(keys.SWEEP, b"\xff{")
    assert await leases.take(store, 0.0) is not None
