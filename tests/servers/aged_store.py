"""A store that says that everything in it is older than it is: time, without waiting for it."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.settings import load
from gateway.store.objects import Document, ObjectInfo, UnfinishedMultipart
from gateway.store.s3 import S3Store
from gateway.uploads.backends import Backends, open_backends


class AgedStore(S3Store):
    """The store, for which everything is older by so many seconds."""

    ageing = 0.0

    async def get(self, key: str) -> Document:
        document = await super().get(key)
        return document._replace(age=document.age + self.ageing)

    async def list(
        self, prefix: str, start_after: str | None = None
    ) -> AsyncGenerator[ObjectInfo, None]:
        async for info in super().list(prefix, start_after):
            yield replace(info, age=info.age + self.ageing)

    async def idle(self, upload: UnfinishedMultipart) -> float:
        return await super().idle(upload) + self.ageing


@asynccontextmanager
async def open_aged_backends(environ: Mapping[str, str]) -> AsyncIterator[Backends]:
    """Backends with such a store, whose bucket is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.uploads.backends.S3Store", AgedStore)
        async with open_backends(load(environ)) as backends:
            assert isinstance(backends.store, AgedStore)
            await backends.store.ensure_bucket()
            yield backends
