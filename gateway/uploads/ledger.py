"""The only writer of records: in the bucket, which is the truth, and in Redis, which is quick.

An `external` upload lives at `pending/{id}` until its end and at `records/{id}` from then on.
A `relay` upload, whose bytes the upstream already has, waits in Redis for its audit, or at
`pending/{id}` where Redis cannot take it. Wiping Redis forgets nothing that was acknowledged as
hosted here.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway import crash
from gateway.errors import (
    ObjectNotFound,
    PreconditionFailed,
    StoreUnavailable,
    UploadNotFound,
    UploadSuperseded,
)
from gateway.settings import Delivery
from gateway.store.objects import ObjectStore, Written
from gateway.telemetry import get_logger
from gateway.uploads import keys, orphans
from gateway.uploads.ids import created_at
from gateway.uploads.lifecycle import is_end, supersedes
from gateway.uploads.record import (
    Removed,
    State,
    Upload,
    abandoned,
    from_json,
    pack,
    to_json,
    unpack,
)
from gateway.uploads.relayed import INDEX_LIMIT, KEPT_SECONDS, Kept, RelayedRecords, not_kept

log = get_logger(__name__)

_PAGE_SCAN = 500

ORPHANED_AFTER = 45.0
"""Seconds, by the store's clock, after which a file without a record may be fenced off."""

OVERDUE: Final = 20.0
"""Seconds after which a record that nobody has written is sent again; a step takes less."""

UNTOUCHED_FOR: Final = OVERDUE / 2
"""Seconds for which a file, and then its record, is left to the gateway that has written it.

Whose record was written later looks what others have made of it.
"""

FENCED_FOR: Final = 86_400.0
"""Seconds for which the record of a fence stays at the least: nobody who is held up comes later."""

_FACTS: Final = frozenset({State.REGISTERED, State.AUDITED, State.FLAGGED})
"""Ends that tell what ChatKitty has: they stand, whatever somebody else thought of the upload."""

_GIVEN_UP: Final = "the upload was abandoned in the meantime; please send it again"


class Entry(msgspec.Struct, frozen=True):
    """A pending upload as it was read; `version` is its ETag, or None while it is in Redis.

    `age`: seconds since the record was written, by the store's clock.
    """

    upload: Upload
    version: str | None
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A key of the pending listing: the upload's id, and the age of its record in seconds."""

    upload_id: str
    age: float


class BucketRecords:
    """What the bucket alone tells of uploads, and takes of them; Redis may be away."""

    def __init__(self, store: ObjectStore) -> None:
        """Keep records in this bucket."""
        self._store = store

    async def fence(self, upload: Upload) -> bool:
        """See to it that an upload that nobody accepted never will be; returns whether it is so.

        `upload` is in state `aborted`. Its record takes the place that the acceptance needs, and
        goes on to where an acceptance that comes later still looks. Of its file nothing stays.
        Raises StoreUnavailable; then it may be called again.
        """
        try:
            await self._keep_in_store(upload)
        except PreconditionFailed:
            return False
        crash.point("fence.placed")
        return await self.bury(upload)

    async def bury(self, upload: Upload) -> bool:
        """The second half of `fence`, also after a crash in the midst of it."""
        try:
            await self._store.put(keys.record(upload.id), to_json(upload), if_none_match=True)
        except PreconditionFailed:
            ended = await self.ended(upload.id)
            if ended is None or ended.state is not State.ABORTED:
                await self.forget_pending(upload.id)
                return False
        crash.point("fence.recorded")
        await self.forget_file(upload.id)
        await self.forget_pending(upload.id)
        return True

    async def open_kept(self, upload_id: str) -> Entry:
        """The upload if the bucket has it as pending. Raises ObjectNotFound, StoreUnavailable."""
        document, version, age = await self._store.get(keys.pending(upload_id))
        return Entry(from_json(document), version, age)

    async def open_ended(self, upload_id: str) -> Entry:
        """The upload at its end. Raises ObjectNotFound, StoreUnavailable."""
        document, version, age = await self._store.get(keys.record(upload_id))
        return Entry(from_json(document), version, age)

    async def ended(self, upload_id: str) -> Upload | None:
        """The upload at its end, or None where it has not come to one. Raises StoreUnavailable."""
        try:
            return (await self.open_ended(upload_id)).upload
        except ObjectNotFound:
            return None

    async def save(self, entry: Entry, upload: Upload) -> Entry:
        """Write what became of the upload that `entry` was read as; returns what stands now.

        That is another end than the one given where the upload has come to one before, unless the
        given one tells what ChatKitty has. Raises PreconditionFailed where somebody else has
        written the upload since, StoreUnavailable.
        """
        if is_end(upload.state):
            return await self._end(upload)
        key = keys.pending(upload.id)
        written = await self._store.put(key, to_json(upload), if_match=entry.version)
        return Entry(upload, written.etag)

    async def mark_removed(self, entry: Entry, removed: Removed) -> None:
        """Have the record of an end say that the file is no longer there, or soon will not be.

        Raises PreconditionFailed where somebody else has written it since, StoreUnavailable.
        """
        document = to_json(replace(entry.upload, removed=removed))
        await self._store.put(keys.record(entry.upload.id), document, if_match=entry.version)

    async def erase(self, entry: Entry) -> None:
        """Put a record that tells of nobody in the place of an end.

        It is what a fence leaves: who was held up and comes late is turned away by it. Raises
        PreconditionFailed where somebody else has written the end since, StoreUnavailable.
        """
        upload_id = entry.upload.id
        began = datetime.fromtimestamp(created_at(upload_id), UTC)
        document = to_json(abandoned(upload_id, began, datetime.now(UTC)))
        await self._store.put(keys.record(upload_id), document, if_match=entry.version)

    async def reopen(self, upload: Upload) -> None:
        """Put an upload that had failed back among those for which something is to be done.

        Raises PreconditionFailed where it is there already, StoreUnavailable. The record of its
        end stays until the next end takes its place: of the two the longer history counts. Who
        removed it later than he meant to might remove that next end.
        """
        await self._keep_in_store(upload)
        crash.point("reopen.kept")

    async def recover(self, upload: Upload) -> None:
        """Have an upload whose record was lost be one again for which something is to be done.

        Raises PreconditionFailed where it has one again already, StoreUnavailable.
        """
        await self._keep_in_store(upload)
        crash.point("recover.kept")
        await orphans.unmark(self._store, upload.id)

    async def forget_file(self, upload_id: str) -> None:
        """Remove an upload's file, and what is kept of an upload beside it.

        Raises StoreUnavailable.
        """
        await self._store.delete(keys.incoming(upload_id))
        await self._store.delete(keys.spare(upload_id))
        await orphans.unmark(self._store, upload_id)

    async def forget_record(self, upload_id: str) -> None:
        """Remove the record of an end. Raises StoreUnavailable."""
        await self._store.delete(keys.record(upload_id))

    async def forget_pending(self, upload_id: str) -> None:
        """Remove the pending record of an upload whose end is durable. Raises StoreUnavailable."""
        await self._store.delete(keys.pending(upload_id))

    async def set_aside(self, upload_id: str) -> None:
        """Move a record that cannot be read out of the way, as it is. Raises StoreUnavailable."""
        try:
            document = await self._store.get(keys.pending(upload_id))
        except ObjectNotFound:
            return
        await self._store.put(keys.dead(upload_id), document.content)
        await self.forget_pending(upload_id)

    async def list_pending(self, after: str | None = None) -> AsyncIterator[Pending]:
        """The pending records in the bucket, oldest upload first, from after that id on.

        Raises StoreUnavailable.
        """
        start = keys.pending(after) if after is not None else None
        async for info in self._store.list(keys.PENDING, start):
            yield Pending(keys.id_of(info.key), info.age)

    async def _end(self, upload: Upload) -> Entry:
        stands = await self._record_end(upload)
        crash.point("end.recorded")
        if stands is upload:  # else what is pending may be newer, or is found to be older
            await self.forget_pending(upload.id)
        return Entry(stands, None)

    async def _record_end(self, upload: Upload) -> Upload:
        """Who was held up for long may come to an end that is no longer true, and not with it."""
        key, document = keys.record(upload.id), to_json(upload)
        if upload.state in _FACTS:
            await self._store.put(key, document)
            return upload
        try:
            await self._store.put(key, document, if_none_match=True)
        except PreconditionFailed:
            before = await self.open_ended(upload.id)
        else:
            return upload
        if not supersedes(upload, before.upload):
            return before.upload
        await self._store.put(key, document, if_match=before.version)  # it was taken up again
        return upload

    async def _keep_in_store(self, upload: Upload) -> Written:
        document = to_json(upload)
        return await self._store.put(keys.pending(upload.id), document, if_none_match=True)


class Ledger(BucketRecords):
    """Records of uploads: accepted, advanced, brought to their end, found again."""

    def __init__(self, store: ObjectStore, redis: Redis, retention: float) -> None:
        """Keep relayed uploads in Redis for at most `retention` seconds."""
        super().__init__(store)
        self._redis = redis
        self._retention = int(retention)
        self._relayed_records = RelayedRecords(redis, self._retention, self._keep_relayed)

    def close(self) -> None:
        """Let go of what the ledger alone uses."""
        self._relayed_records.close()

    async def accept(self, upload: Upload, *, uncontested_until: float | None = None) -> Entry:
        """Make the record of an upload durable in the bucket; only then may it be acknowledged.

        `uncontested_until`: up to then (epoch seconds, the store's time) nobody else is at the
        upload; of a record that was written later, and where None is given, it is looked what
        others have made of the upload: they may have fenced it off, or carried on from a first try
        of the same write whose answer was lost. Raises UploadSuperseded where it is fenced off, and
        StoreUnavailable, after which it may or may not be accepted.
        """
        try:
            written = await self._keep_in_store(upload)
        except PreconditionFailed:
            version = await self._version_if_accepted(upload.id)
        else:
            version = written.etag
            crash.point("accept.written")
            if uncontested_until is None or written.at > uncontested_until:
                await self._check_place(upload.id)
        await self._remember(upload)
        return Entry(upload, version)

    def keep_relayed(self, upload: Upload, company: int, kept: Kept) -> None:
        """Keep the record of a relayed upload until its audit; `kept` is told when it is durable.

        It gets RecordNotKept if neither Redis nor the store takes the record, and is called within
        KEPT_SECONDS. `company` uploads, this one among them, may want the same before long, and
        share the way.
        """
        self._relayed_records.keep(upload, company, kept)

    async def accept_relayed(self, upload: Upload, company: int = 1) -> None:
        """Return when the record of a relayed upload is kept until its audit.

        Raises RecordNotKept if neither Redis nor the store takes it.
        """
        done = asyncio.get_running_loop().create_future()

        def kept(error: Exception | None) -> None:
            if not done.done():
                done.set_exception(error) if error is not None else done.set_result(None)

        self.keep_relayed(upload, company, kept)
        try:
            async with asyncio.timeout(KEPT_SECONDS):
                await done
        except TimeoutError as error:
            raise not_kept(error) from error

    async def complete_relayed(self, upload: Upload, entry: Entry) -> None:
        """Keep the record of a relayed upload in the place of `entry`, which was durable before.

        Whoever took the relay for lost meanwhile was wrong, and is about to remove what is in that
        place: then it is kept as that of any other relay. Raises RecordNotKept.
        """
        key = keys.pending(entry.upload.id)
        try:
            await self._store.put(key, to_json(upload), if_match=entry.version)
        except PreconditionFailed:
            await self.accept_relayed(upload)
        except (StoreUnavailable, UnicodeError) as error:
            raise not_kept(error) from error

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
            return await self.open_kept(upload_id)
        except ObjectNotFound:
            if silent is not None:
                raise StoreUnavailable("Redis cannot be asked for the upload now") from silent
            return None

    async def save(self, entry: Entry, upload: Upload) -> Entry:
        """As above; a relayed upload's record may be in Redis."""
        if entry.version is None and not is_end(upload.state):
            await self._redis.set(keys.relayed(upload.id), pack(upload), keepttl=True)
            return Entry(upload, None)
        saved = await super().save(entry, upload)
        if is_end(upload.state) and upload.delivery is Delivery.RELAY:
            await self._forget_relayed(upload.id)
        return saved

    async def find(self, upload_id: str) -> Upload:
        """The upload, wherever it stands. Raises UploadNotFound, StoreUnavailable."""
        unknown: Exception = UploadNotFound("no such upload")
        try:
            entry = await self.open(upload_id)
            # A fence that comes upon an upload that has ended takes its place for a moment.
            if entry is not None and entry.upload.state is not State.ABORTED:
                return entry.upload
        except StoreUnavailable as error:
            unknown = error
        if (ended := await self.ended(upload_id)) is not None:
            return ended
        raise unknown

    async def find_in_bucket(self, upload_id: str) -> Upload | None:
        """The upload as it counts, of what the bucket has of it. Raises StoreUnavailable."""
        try:
            kept = (await self.open_kept(upload_id)).upload
        except ObjectNotFound:
            return await self.ended(upload_id)
        ended = await self.ended(upload_id)
        return kept if ended is None or supersedes(kept, ended) else ended

    async def find_ended(self, upload_id: str) -> Upload:
        """An upload that has most likely ended, by one request if it has.

        Raises UploadNotFound, StoreUnavailable.
        """
        ended = await self.ended(upload_id)
        if ended is not None and ended.state is not State.FAILED:
            return ended
        return await self.find(upload_id)  # what had failed may have been taken up again

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
        """Ids of relayed uploads that were accepted `age` seconds ago and still wait in Redis.

        The oldest ones first. Raises RedisError.
        """
        seconds, _ = await self._redis.time()
        return [upload_id.decode() for upload_id, _ in await self._waiting(seconds - age, limit)]

    async def relayed_backlog(self) -> tuple[int, float]:
        """How many relayed uploads wait in Redis, and since how many seconds. Raises RedisError."""
        oldest = await self._waiting("+inf", 1)
        if not oldest:
            return 0, 0.0
        ((_, since),) = oldest
        seconds, _ = await self._redis.time()
        return int(await self._redis.zcard(keys.RELAYED_SET)), max(0.0, float(seconds) - since)

    async def _waiting(self, until: float | str, limit: int) -> list[tuple[bytes, float]]:
        """The relayed uploads that were accepted first, and when.

        Redis forgets a record when its retention ends, or by an eviction, and lists it all the
        same: such an upload leaves the list here, or it would be in the way of the others.
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
        """At most `limit` of a subject's uploads, newest first, from before the id `before`.

        The index is a cache: after Redis lost it, it knows uploads from then on, while every
        older one is still found by its id. Raises RedisError.
        """
        top = f"({before}" if before else "+"
        found = await self._redis.zrange(
            keys.of_subject(subject), top, "-", bylex=True, desc=True, offset=0, num=limit
        )
        return _ids(found)

    async def _check_place(self, upload_id: str) -> bool:
        """Take a pending record back that came after the upload's end; whether it has ended.

        Raises UploadSuperseded where it was fenced off, and StoreUnavailable.
        """
        ended = await self.ended(upload_id)
        if ended is None:
            return False
        await self.forget_pending(upload_id)
        if ended.state is State.ABORTED:
            raise UploadSuperseded(_GIVEN_UP)
        return True  # workers came to it, by a first try of the same write

    async def _version_if_accepted(self, upload_id: str) -> str | None:
        """The version of an upload's record, which somebody has written; None if it has ended.

        It is a fence's, or comes from a first try of the same write. Raises UploadSuperseded where
        the upload is fenced off, and StoreUnavailable.
        """
        try:
            kept = await self.open_kept(upload_id)
        except ObjectNotFound:
            kept = None
        if await self._check_place(upload_id):
            return None
        if kept is None:
            raise StoreUnavailable("the store does not tell what became of the upload")
        if kept.upload.state is State.ABORTED:
            raise UploadSuperseded(_GIVEN_UP)
        return kept.version

    async def _forget_relayed(self, upload_id: str) -> None:
        """What Redis keeps of it all the same is audited once more, to the same end."""
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.delete(keys.relayed(upload_id))
                pipeline.zrem(keys.RELAYED_SET, upload_id)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            log.warning("record.redis_unavailable", error=repr(error))

    async def _keep_relayed(self, upload: Upload) -> None:
        await self._keep_in_store(upload)

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
