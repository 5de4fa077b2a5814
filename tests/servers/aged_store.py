"""A store that says that everything in it is older than it is: time, without waiting for it."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from gateway.store.objects import Document, ObjectInfo, UnfinishedMultipart
from gateway.store.s3 import S3Store


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
