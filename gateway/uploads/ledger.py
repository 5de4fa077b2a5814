"""The only writer of records: in the bucket, which is the truth, and in Redis, which is quick.

An `external` upload lives at `pending/{id}` until its end and at `records/{id}` from then on.
A `relay` upload, whose bytes the upstream already has, waits in Redis for its audit, or at
`pending/{id}` where Redis cannot take it. Wiping Redis forgets nothing that was acknowledged as
hosted here.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.errors import ObjectNotFound, StoreUnavailable, UploadNotFound
from gateway.settings import Delivery
from gateway.store.objects import ObjectStore
from gateway.telemetry import get_logger
from gateway.uploads import ids, keys
from gateway.uploads.lifecycle import is_end
from gateway.uploads.record import Upload, from_json, pack, to_json, unpack
from gateway.uploads.relayed import INDEX_LIMIT, Kept, RelayedRecords

log = get_logger(__name__)

_PAGE_SCAN = 500


class Entry(msgspec.Struct, frozen=True):
    """A pending upload as it was read; `version` is its ETag, or None while it is in Redis."""

    upload: Upload
    version: str | None


@dataclass(frozen=True, slots=True)
class Pending:
    """A key of the pending listing: the upload's id and when its record was written last."""

    upload_id: str
    modified: datetime


class Ledger:
    """Records of uploads: accepted, advanced, brought to their end, found again."""

    def __init__(self, store: ObjectStore, redis: Redis, retention: float) -> None:
        """Keep relayed uploads in Redis for at most `retention` seconds."""
        self._store = store
        self._redis = redis
        self._retention = int(retention)
        self._relayed_records = RelayedRecords(redis, self._retention, self._keep_in_store)

    def close(self) -> None:
        """Let go of what the ledger alone uses."""
        self._relayed_records.close()

    async def accept(self, upload: Upload) -> None:
        """Make the record of a hosted upload durable; only then may it be acknowledged.

        Raises StoreUnavailable.
        """
        await self._keep_in_store(upload)
        await self._remember(upload)

    def keep_relayed(self, upload: Upload, company: int, kept: Kept) -> None:
        """Keep the record of a relayed upload until its audit; `kept` is told when it is durable.

        It is told StoreUnavailable where neither Redis nor the store takes the record. `company`
        uploads, this one among them, may want the same before long, and share the way.
        """
        self._relayed_records.keep(upload, company, kept)

    async def accept_relayed(self, upload: Upload, company: int = 1) -> None:
        """Return when the record of a relayed upload is kept until its audit.

        Raises StoreUnavailable where neither Redis nor the store takes it.
        """
        done = asyncio.get_running_loop().create_future()

        def kept(error: Exception | None) -> None:
            if not done.done():
                done.set_exception(error) if error is not None else done.set_result(None)

        self.keep_relayed(upload, company, kept)
        await done

    async def open(self, upload_id: str) -> Entry | None:
        """The upload if something is still to do for it, else None.

        Raises StoreUnavailable, also where Redis alone could tell and cannot be asked.
        """
        silent: Exception | None = None
        try:
            packed = cast(bytes | None, await self._redis.get(keys.relayed(upload_id)))
            if packed is not None:
                return Entry(unpack(packed), None)
        except (RedisError, OSError) as error:
            log.warning("record.redis_unavailable", error=repr(error))
            silent = error
        try:
            document, version = await self._store.get(keys.pending(upload_id))
        except ObjectNotFound:
            if silent is not None:
                raise StoreUnavailable("Redis cannot be asked for the upload now") from silent
            return None
        return Entry(from_json(document), version)

    async def save(self, entry: Entry, upload: Upload) -> Entry:
        """Write what became of the upload that `entry` was read as.

        Raises PreconditionFailed where somebody else has written it since, StoreUnavailable.
        """
        if is_end(upload.state):
            await self._end(upload)
            return Entry(upload, None)
        if entry.version is None:
            await self._redis.set(keys.relayed(upload.id), pack(upload), keepttl=True)
            return Entry(upload, None)
        key = keys.pending(upload.id)
        version = await self._store.put(key, to_json(upload), if_match=entry.version)
        return Entry(upload, version)

    async def find(self, upload_id: str) -> Upload:
        """The upload, wherever it stands. Raises UploadNotFound, StoreUnavailable."""
        unknown: Exception = UploadNotFound("no such upload")
        try:
            if (entry := await self.open(upload_id)) is not None:
                return entry.upload
        except StoreUnavailable as error:
            unknown = error
        if (ended := await self._ended(upload_id)) is not None:
            return ended
        raise unknown

    async def find_hosted(self, upload_id: str) -> Upload:
        """An `external` upload that has most likely ended, by one request if it has.

        Raises UploadNotFound, StoreUnavailable.
        """
        return await self._ended(upload_id) or await self.find(upload_id)

    async def has_ended(self, upload_id: str) -> bool:
        """Whether the record of the upload's end is durable. Raises StoreUnavailable."""
        try:
            await self._store.head(keys.record(upload_id))
        except ObjectNotFound:
            return False
        return True

    async def forget_pending(self, upload_id: str) -> None:
        """Remove the pending record of an upload whose end is durable. Raises StoreUnavailable."""
        await self._store.delete(keys.pending(upload_id))

    async def list_pending(self) -> AsyncIterator[Pending]:
        """The pending records in the bucket, oldest upload first. Raises StoreUnavailable."""
        async for info in self._store.list(keys.PENDING):
            yield Pending(keys.id_of(info.key), info.modified)

    async def list_relayed(self, before: datetime) -> list[str]:
        """Ids of relayed uploads that were accepted before that time and still wait in Redis."""
        found = await self._redis.zrange(
            keys.RELAYED_SET, "-inf", before.timestamp(), byscore=True, offset=0, num=_PAGE_SCAN
        )
        return _ids(found)

    async def forget_records(self, older_than: float) -> int:
        """Delete records at their end whose uploads were made before that time (epoch seconds).

        Returns how many. Raises StoreUnavailable.
        """
        forgotten = 0
        async for info in self._store.list(keys.RECORDS):
            if ids.created_at(keys.id_of(info.key)) >= older_than:
                break
            await self._store.delete(info.key)
            forgotten += 1
        return forgotten

    async def list_of_subject(self, subject: str, before: str | None) -> AsyncIterator[Upload]:
        """A subject's uploads, newest first, from the one made before the id `before`.

        The index is a cache: after Redis lost it, it knows uploads from then on, while every
        older one is still found by its id. Raises RedisError, StoreUnavailable.
        """
        top = f"({before}" if before else "+"
        found = await self._redis.zrange(
            keys.of_subject(subject), top, "-", bylex=True, desc=True, offset=0, num=_PAGE_SCAN
        )
        for upload_id in _ids(found):
            try:
                yield await self.find(upload_id)
            except UploadNotFound:
                continue

    async def _ended(self, upload_id: str) -> Upload | None:
        try:
            document, _ = await self._store.get(keys.record(upload_id))
        except ObjectNotFound:
            return None
        return from_json(document)

    async def _end(self, upload: Upload) -> None:
        await self._store.put(keys.record(upload.id), to_json(upload))
        await self._store.delete(keys.pending(upload.id))
        if upload.delivery is Delivery.RELAY:
            await self._forget_relayed(upload.id)

    async def _forget_relayed(self, upload_id: str) -> None:
        """What Redis keeps of it all the same is audited once more, to the same end."""
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.delete(keys.relayed(upload_id))
                pipeline.zrem(keys.RELAYED_SET, upload_id)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            log.warning("record.redis_unavailable", error=repr(error))

    async def _keep_in_store(self, upload: Upload) -> None:
        await self._store.put(keys.pending(upload.id), to_json(upload), if_none_match=True)

    async def _remember(self, upload: Upload) -> None:
        """Add a durable upload to its subject's index, which nothing depends on."""
        key = keys.of_subject(upload.subject)
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.zadd(key, {upload.id: 0})  # of one score: sorted by id, which is by time
                pipeline.zremrangebyrank(key, 0, -INDEX_LIMIT - 1)
                pipeline.expire(key, self._retention)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            log.warning("record.redis_unavailable", error=repr(error))


def _ids(members: object) -> list[str]:
    return [member.decode() for member in cast(list[bytes], members)]
