"""The only writer of records: in the bucket, which is authoritative, and in Redis, which is fast.

An `external` upload lives at `pending/{id}` until it finishes and at `records/{id}` from then on.
A `relay` upload, which the upstream already has, waits for its audit in Redis, or at
`pending/{id}` if Redis cannot store it. Wiping Redis loses no acknowledged hosted upload.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway import crash
from gateway.choices import Delivery
from gateway.errors import (
    ObjectNotFound,
    PreconditionFailed,
    StoreUnavailable,
    UploadNotFound,
    UploadSuperseded,
)
from gateway.records.bucket import BucketRecords, Entry
from gateway.records.outbox import Outbox
from gateway.records.relay_batch import INDEX_LIMIT, KEPT_SECONDS, OnKept, RelayedRecords, not_kept
from gateway.redis.sharing import SharedCalls
from gateway.store.objects import ObjectStore
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.lifecycle import is_end, supersedes
from gateway.uploads.record import State, Upload, pack, to_json, unpack

log = get_logger(__name__)

_PAGE_SCAN: Final = 500

_LARGEST_CALL: Final = 32
"""Redis is asked for at most this many uploads in one command."""

_READ: Final = """
local records = {}
for each, key in ipairs(KEYS) do records[each] = redis.call('GET', key) end
return records
"""
# All members have the same score, so Redis sorts them by id, which is by time. The channel for a
# subject's changes has the name of its index.
_REMEMBER: Final = """
local retention, limit = %d, %d
for each, key in ipairs(KEYS) do
    redis.call('ZADD', key, 0, ARGV[each])
    redis.call('ZREMRANGEBYRANK', key, 0, -limit - 1)
    redis.call('EXPIRE', key, retention)
    redis.call('PUBLISH', key, ARGV[each])
end
"""

_GIVEN_UP: Final = "the upload was abandoned in the meantime; please send it again"


class Ledger(BucketRecords):
    """Writes and finds records of uploads, from their acceptance to their end."""

    def __init__(self, store: ObjectStore, redis: Redis, retention: float, outbox: Outbox) -> None:
        """Keep relayed uploads in Redis for at most `retention` seconds."""
        super().__init__(store, outbox)
        self._redis = redis
        self._retention = int(retention)
        self._relayed_records = RelayedRecords(redis, self._retention, self._keep_relayed)
        self._reading = SharedCalls(self._read_all_relayed, _LARGEST_CALL)
        self._forgetting = SharedCalls(self._forget_all_relayed, _LARGEST_CALL)
        self._remembering = SharedCalls(self._remember_all, _LARGEST_CALL)

    def close(self) -> None:
        """Close the connection that only the ledger uses."""
        self._relayed_records.close()

    async def accept(self, upload: Upload, *, uncontested_until: float | None = None) -> Entry:
        """Make the record of an upload durable in the bucket; only then may it be acknowledged.

        Until `uncontested_until` (epoch seconds, the store's time) no other process touches the
        upload. If the record is written later, or None is given, this checks what other processes
        have done: they may have fenced the upload off; or the same write succeeded before, its
        answer was lost, and workers have processed the upload. Raises UploadSuperseded if it is
        fenced off, and StoreUnavailable, after which it may or may not be accepted.
        """
        version, _ = await self._accept(upload, uncontested_until)
        await self.remember(upload)
        return Entry(upload, version)

    async def accept_offered(self, upload: Upload) -> bool:
        """Accept an upload that was offered to workers; returns whether this call was the first.

        Raises what `accept` raises.
        """
        _, first = await self._accept(upload, None)
        await self.remember(upload)
        return first

    def keep_relayed(self, upload: Upload, concurrent: int, on_kept: OnKept) -> None:
        """Keep the record of a relayed upload until its audit; call `on_kept` when it is durable.

        `on_kept` is called within KEPT_SECONDS, with RecordNotKept if neither Redis nor the store
        accepts the record. About `concurrent` uploads, including this one, may share a round trip.
        """
        self._relayed_records.keep(upload, concurrent, on_kept)

    async def accept_relayed(self, upload: Upload) -> None:
        """Return when the record of a relayed upload is kept until its audit.

        Raises RecordNotKept if neither Redis nor the store accepts it.
        """
        done = asyncio.get_running_loop().create_future()

        def kept(error: Exception | None) -> None:
            if not done.done():
                done.set_exception(error) if error is not None else done.set_result(None)

        self.keep_relayed(upload, 1, kept)
        try:
            async with asyncio.timeout(KEPT_SECONDS):
                await done
        except TimeoutError as error:
            raise not_kept(error) from error

    async def complete_relayed(self, upload: Upload, entry: Entry) -> None:
        """Keep the record of a relayed upload instead of `entry`, which was durable before.

        If another process took the relay for lost, it is about to remove the record in that place:
        then the record is kept like that of any other relay. Raises RecordNotKept.
        """
        key = keys.pending(entry.upload.id)
        try:
            await self._store.put(key, to_json(upload), if_match=entry.version)
        except PreconditionFailed:
            await self.accept_relayed(upload)
        except (StoreUnavailable, UnicodeError) as error:
            raise not_kept(error) from error

    async def open(self, upload_id: str) -> Entry | None:
        """The upload if it has work left to do, else None.

        Raises StoreUnavailable, also if only Redis could know it and does not answer.
        """
        silent: Exception | None = None
        try:
            packed = await self._reading.ask(upload_id)
        except (RedisError, OSError) as error:
            log.warning("record.redis_unavailable", error=repr(error))
            packed, silent = None, error
        if packed is not None:
            return Entry(unpack(packed), None)
        try:
            return await self.open_kept(upload_id)
        except ObjectNotFound:
            if silent is not None:
                raise StoreUnavailable(
                    "the upload's record cannot be read from Redis right now"
                ) from silent
            return None

    async def save(self, entry: Entry, upload: Upload) -> Entry:
        """Write the next state of a pending upload; a relayed one's record may be in Redis."""
        if entry.version is None and not entry.offered and not is_end(upload.state):
            await self._redis.set(keys.relayed(upload.id), pack(upload), keepttl=True)
            return Entry(upload, None)
        if entry.version is None and upload.delivery is Delivery.RELAY:
            # If Redis stored the record but its answer was lost, there is a second record in the
            # bucket. The sweeper finds it, which costs less than a request for each relay.
            saved = await self._end(upload, is_pending_here=False)
        else:
            saved = await super().save(entry, upload)
        if is_end(upload.state) and upload.delivery is Delivery.RELAY:
            await self._forget_relayed(upload.id, upload.subject)
        return saved

    async def find(self, upload_id: str) -> Upload:
        """The upload, in whatever state. Raises UploadNotFound, StoreUnavailable."""
        unknown: Exception = UploadNotFound("no such upload")
        try:
            entry = await self.open(upload_id)
            # A fence of an upload that has already ended takes its place for a moment.
            if entry is not None and entry.upload.state is not State.ABORTED:
                return entry.upload
        except StoreUnavailable as error:
            unknown = error
        if (ended := await self.ended(upload_id)) is not None:
            return ended
        raise unknown

    async def find_in_bucket(self, upload_id: str) -> Upload | None:
        """The upload, by the record that counts in the bucket. Raises StoreUnavailable."""
        try:
            kept = (await self.open_kept(upload_id)).upload
        except ObjectNotFound:
            return await self.ended(upload_id)
        ended = await self.ended(upload_id)
        return kept if ended is None or supersedes(kept, ended) else ended

    async def find_ended(self, upload_id: str) -> Upload:
        """An upload that has probably ended: one request if it has.

        Raises UploadNotFound, StoreUnavailable.
        """
        ended = await self.ended(upload_id)
        if ended is not None and ended.state is not State.FAILED:
            return ended
        return await self.find(upload_id)  # a failed upload may have been retried

    async def set_aside(self, upload_id: str) -> None:
        """Move a record that cannot be read out of the way, wherever it is.

        Raises StoreUnavailable, RedisError.
        """
        packed = cast(bytes | None, await self._redis.get(keys.relayed(upload_id)))
        if packed is None:
            await super().set_aside(upload_id)
            return
        await self._store.put(keys.dead(upload_id), packed)
        await self._forget_relayed(upload_id)

    async def list_relayed(self, age: float, limit: int) -> list[str]:
        """Ids of relayed uploads that were accepted `age` seconds ago or earlier and wait in Redis.

        The oldest come first. Raises RedisError.
        """
        seconds, _ = await self._redis.time()
        return [upload_id.decode() for upload_id, _ in await self._waiting(seconds - age, limit)]

    async def relayed_backlog(self) -> tuple[int, float]:
        """The number of relayed uploads in Redis, and the age of the oldest. Raises RedisError."""
        oldest = await self._waiting("+inf", 1)
        if not oldest:
            return 0, 0.0
        ((_, since),) = oldest
        seconds, _ = await self._redis.time()
        return int(await self._redis.zcard(keys.RELAYED_SET)), max(0.0, float(seconds) - since)

    async def _waiting(self, until: float | str, limit: int) -> list[tuple[bytes, float]]:
        """The relayed uploads that were accepted first, and the times of that.

        Redis may drop a record when its retention ends, or by an eviction, but keeps its id in the
        list. This removes such ids, since they would hide the others.
        """
        page = max(limit, _PAGE_SCAN)
        while True:
            found = cast(
                list[tuple[bytes, float]],
                await self._redis.zrange(
                    keys.RELAYED_SET,
                    "-inf",
                    until,
                    byscore=True,
                    offset=0,
                    num=page,
                    withscores=True,
                ),
            )
            async with self._redis.pipeline(transaction=False) as pipeline:
                for upload_id, _ in found:
                    pipeline.exists(keys.relayed(upload_id.decode()))
                there = await pipeline.execute()
            gone = [
                upload_id
                for (upload_id, _), is_there in zip(found, there, strict=True)
                if not is_there
            ]
            if not gone:
                return found[:limit]
            log.warning("record.gone", count=len(gone))
            await self._redis.zrem(keys.RELAYED_SET, *gone)

    async def ids_of_subject(self, subject: str, before: str | None, limit: int) -> list[str]:
        """At most `limit` ids of a subject's uploads, newest first, all older than the id `before`.

        The index is a cache. If Redis lost it, it has only the uploads since then; older ones can
        still be found by their ids. Raises RedisError.
        """
        top = f"({before}" if before else "+"
        found = await self._redis.zrange(
            keys.of_subject(subject), top, "-", bylex=True, desc=True, offset=0, num=limit
        )
        return _ids(found)

    async def _accept(
        self, upload: Upload, uncontested_until: float | None
    ) -> tuple[str | None, bool]:
        """Accept an upload; returns the record's version, and whether this was the first call."""
        try:
            written = await self._keep_in_store(upload)
        except PreconditionFailed:
            return await self._version_if_accepted(upload.id), False
        crash.point(crash.Point.ACCEPT_WRITTEN)
        if uncontested_until is not None and written.at <= uncontested_until:
            return written.etag, True
        return written.etag, not await self._check_place(upload.id)

    async def _check_place(self, upload_id: str, found: Upload | None = None) -> bool:
        """Remove a pending record if the upload had already ended; returns whether it had.

        `found`: the pending record, if another process has written it. It stays if an operator has
        started the upload again. Raises UploadSuperseded if the upload was fenced off, and
        StoreUnavailable.
        """
        ended = await self.ended(upload_id)
        if ended is None or (found is not None and supersedes(found, ended)):
            return False
        await self.forget_pending(upload_id)
        if ended.state is State.ABORTED:
            raise UploadSuperseded(_GIVEN_UP)
        return True  # the same write had succeeded before, and workers finished it

    async def _version_if_accepted(self, upload_id: str) -> str | None:
        """The version of a record that was written before; None if the upload has ended.

        The record is a fence's, or the same write had succeeded before. Raises UploadSuperseded if
        the upload is fenced off, and StoreUnavailable.
        """
        try:
            kept = await self.open_kept(upload_id)
        except ObjectNotFound:
            kept = None
        if await self._check_place(upload_id, kept.upload if kept is not None else None):
            return None
        if kept is None:
            raise StoreUnavailable("the store cannot say whether the upload was accepted")
        if kept.upload.state is State.ABORTED:
            raise UploadSuperseded(_GIVEN_UP)
        return kept.version

    async def _read_all_relayed(self, upload_ids: Sequence[str]) -> list[bytes | None]:
        """The packed records that are in Redis. Raises RedisError, OSError."""
        names = [keys.relayed(upload_id) for upload_id in upload_ids]
        if len(names) == 1:
            return [cast(bytes | None, await self._redis.get(names[0]))]
        return cast(list[bytes | None], await self._redis.eval(_READ, len(names), *names))

    async def _forget_relayed(self, upload_id: str, subject: str | None = None) -> None:
        """Remove the record from Redis, and notify those who wait for the subject's changes.

        If that fails, a second audit has the same result.
        """
        try:
            await self._forgetting.ask((upload_id, subject))
        except (RedisError, OSError) as error:
            log.warning("record.redis_unavailable", error=repr(error))

    async def _forget_all_relayed(self, ended: Sequence[tuple[str, str | None]]) -> list[None]:
        upload_ids = [upload_id for upload_id, _ in ended]
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(*map(keys.relayed, upload_ids))
            pipeline.zrem(keys.RELAYED_SET, *upload_ids)
            for upload_id, subject in ended:
                if subject is not None:
                    pipeline.publish(keys.of_subject(subject), upload_id)
            await pipeline.execute()
        return [None] * len(upload_ids)

    async def _keep_relayed(self, upload: Upload) -> None:
        await self._keep_in_store(upload)

    async def remember(self, upload: Upload) -> None:
        """Add a durable upload to its subject's index; nothing else depends on that."""
        try:
            await self._remembering.ask(upload)
        except (RedisError, OSError) as error:
            log.warning("record.redis_unavailable", error=repr(error))

    async def _remember_all(self, uploads: Sequence[Upload]) -> list[None]:
        names = [keys.of_subject(upload.subject) for upload in uploads]
        ids = [upload.id for upload in uploads]
        script = _REMEMBER % (self._retention, INDEX_LIMIT)
        await self._redis.eval(script, len(names), *names, *ids)
        return [None] * len(uploads)


def _ids(members: object) -> list[str]:
    return [member.decode() for member in cast(list[bytes], members)]
