"""A store that reports everything as older than it is, so that tests need not wait."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import pytest

from gateway.backends import Backends, open_backends
from gateway.settings import load
from gateway.store.objects import Document, ObjectInfo, UnfinishedMultipart
from gateway.store.s3 import S3Store
from gateway.uploads import keys
from workers.sweep import lease as leases
from workers.sweep import sweep_once


class AgedStore(S3Store):
    """The store; it adds `ageing` seconds to every age."""

    ageing = 0.0

    async def get(self, key: str) -> Document:
        document = await super().get(key)
        return document._replace(age=document.age + self.ageing)

    async def list(
        self, prefix: str, start_after: str | None = None
    ) -> AsyncGenerator[ObjectInfo, None]:
        # Processes renew their announcements.
        ageing = 0.0 if prefix == keys.PRESENCES else self.ageing
        async for info in super().list(prefix, start_after):
            yield replace(info, age=info.age + ageing)

    async def idle(self, upload: UnfinishedMultipart) -> float:
        return await super().idle(upload) + self.ageing


@asynccontextmanager
async def open_aged_backends(environ: Mapping[str, str]) -> AsyncIterator[Backends]:
    """Backends with such a store, whose bucket exists."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.backends.S3Store", AgedStore)
        async with open_backends(load(environ)) as backends:
            assert isinstance(backends.store, AgedStore)
            await backends.store.ensure_bucket()
            yield backends


@contextmanager
def later(backends: Backends, seconds: float) -> Iterator[None]:
    """Inside the block, as if `seconds` had passed."""
    assert isinstance(backends.store, AgedStore)
    backends.store.ageing = seconds
    try:
        yield
    finally:
        backends.store.ageing = 0.0


async def own_lease(backends: Backends) -> leases.Lease:
    """The sweepers' lease, even if another sweeper has it."""
    written = await backends.store.put(keys.SWEEP, b"{}")
    memory = leases.Memory(holder="test", seconds=leases.LEASE_SECONDS)
    return leases.Lease(backends.store, memory, written)


async def sweep_later(backends: Backends, seconds: float) -> None:
    """One pass of a sweeper, `seconds` later."""
    lease = await own_lease(backends)
    with later(backends, seconds):
        await sweep_once(backends, lease)
