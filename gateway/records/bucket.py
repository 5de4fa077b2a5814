"""Records of uploads in the bucket, which is authoritative: pending, finished, and fences.

An `external` upload lives at `pending/{id}` until it finishes and at `records/{id}` from then on.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway import crash
from gateway.choices import Delivery
from gateway.errors import ObjectNotFound, OfferLapsed, PreconditionFailed
from gateway.records import orphans
from gateway.records.outbox import Outbox
from gateway.store.objects import ObjectStore, Written
from gateway.uploads import keys
from gateway.uploads.lifecycle import is_end, supersedes
from gateway.uploads.record import Removed, State, Upload, abandoned, from_json, to_json

ORPHANED_AFTER = 45.0
"""Age, by the store's clock, after which a file without a record may be fenced off."""

OVERDUE: Final = 20.0
"""Age after which the task of an unchanged record is sent again; no step takes that long."""

UNTOUCHED_FOR: Final = OVERDUE / 2
"""For this long no other process touches a new file, or its record, but its gateway.

A gateway that writes the record later checks what other processes have done with the upload.
"""

FENCED_FOR: Final = 86_400.0
"""For at least this long a fence's record remains: no delayed process arrives later."""

_FACTS: Final = frozenset({State.REGISTERED, State.AUDITED, State.FLAGGED})
"""Ends that state what ChatKitty has: they replace what another process recorded before.

Only a record that a purge wrote stays: it names no subject, and must not name one again.
"""


class Entry(msgspec.Struct, frozen=True):
    """A pending upload as it was read; `version` is its ETag, or None while it is in Redis.

    `age`: seconds since the record was written, by the store's clock. `offered`: it came with its
    task instead of being read; while `version` is None, perhaps no record was written yet (see
    `gateway.records.offers`).
    """

    upload: Upload
    version: str | None
    age: float = 0.0
    offered: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """A key of the pending listing: the upload's id, and the age of its record in seconds."""

    upload_id: str
    age: float


class BucketRecords:
    """Records in the bucket alone; Redis may be down."""

    def __init__(self, store: ObjectStore, outbox: Outbox) -> None:
        """Keep records in this bucket; `outbox` gets the message about an end before the end."""
        self._store = store
        self._outbox = outbox

    async def fence(self, upload: Upload) -> bool:
        """Keep an unaccepted upload from ever being accepted; returns whether that worked.

        `upload` is in state `aborted`. Its record takes the place that an acceptance needs, and
        then moves to the place that a later acceptance still checks. Its file is removed. Raises
        StoreUnavailable; then it may be called again.
        """
        try:
            await self._keep_in_store(upload)
        except PreconditionFailed:
            return False
        crash.point(crash.Point.FENCE_PLACED)
        return await self.bury(upload)

    async def bury(self, upload: Upload) -> bool:
        """Do the second half of `fence`, also after a crash during it."""
        placed = await self._outbox.place(upload)
        try:
            written = await self._store.put(
                keys.record(upload.id), to_json(upload), if_none_match=True
            )
            await self._outbox.follow(placed, written)
        except PreconditionFailed:
            ended = await self.ended(upload.id)
            if ended is None or ended.state is not State.ABORTED:
                await self.forget_pending(upload.id)
                return False
        crash.point(crash.Point.FENCE_RECORDED)
        await self.forget_file(upload.id)
        await self.forget_pending(upload.id)
        return True

    async def open_kept(self, upload_id: str) -> Entry:
        """The upload if the bucket has it as pending. Raises ObjectNotFound, StoreUnavailable."""
        document, version, age = await self._store.get(keys.pending(upload_id))
        return Entry(from_json(document), version, age)

    async def open_ended(self, upload_id: str) -> Entry:
        """The finished upload. Raises ObjectNotFound, StoreUnavailable."""
        document, version, age = await self._store.get(keys.record(upload_id))
        return Entry(from_json(document), version, age)

    async def ended(self, upload_id: str) -> Upload | None:
        """The finished upload, or None if it has not finished. Raises StoreUnavailable."""
        try:
            return (await self.open_ended(upload_id)).upload
        except ObjectNotFound:
            return None

    async def save(self, entry: Entry, upload: Upload) -> Entry:
        """Write the next state of the upload that was read as `entry`; returns what is stored now.

        If the upload had already finished in another way, that end stays and is returned, unless
        the given one states what ChatKitty has. Raises PreconditionFailed if another process has
        written the upload since, OfferLapsed if one has accepted an offered upload, and
        StoreUnavailable.
        """
        if is_end(upload.state):
            return await self._end(upload)
        if entry.offered and entry.version is None:
            return await self._take_offer(upload)
        key = keys.pending(upload.id)
        written = await self._store.put(key, to_json(upload), if_match=entry.version)
        return replace(entry, upload=upload, version=written.etag, age=0.0)

    async def mark_removed(self, entry: Entry, removed: Removed) -> None:
        """Note in the record of an end that the file is gone, or soon will be.

        Raises PreconditionFailed if another process has written it since, StoreUnavailable.
        """
        document = to_json(replace(entry.upload, removed=removed))
        await self._store.put(keys.record(entry.upload.id), document, if_match=entry.version)

    async def erase(self, entry: Entry) -> None:
        """Replace the record of an end by one without personal data.

        The new record is the same as a fence's: it stops a delayed process from accepting the
        upload again. Raises PreconditionFailed if another process has written the end since,
        StoreUnavailable.
        """
        upload_id = entry.upload.id
        document = to_json(abandoned(upload_id, datetime.now(UTC)))
        await self._store.put(keys.record(upload_id), document, if_match=entry.version)

    async def reopen(self, upload: Upload) -> None:
        """Move a failed upload back to the pending ones.

        Raises PreconditionFailed if it is there already, StoreUnavailable. The finished record
        stays until the next one replaces it: of the two, the longer history counts. (Deleting it
        here could race with that next record and delete that instead.)
        """
        await self._keep_in_store(upload)
        crash.point(crash.Point.REOPEN_KEPT)

    async def recover(self, upload: Upload) -> None:
        """Write a pending record again for an upload that has lost its record.

        Raises PreconditionFailed if it has one again already, StoreUnavailable.
        """
        await self._keep_in_store(upload)
        crash.point(crash.Point.RECOVER_KEPT)
        await orphans.unmark(self._store, upload.id)

    async def forget_file(self, upload_id: str) -> None:
        """Remove an upload's file, and what is kept about the upload next to it.

        Raises StoreUnavailable.
        """
        await self._store.delete(keys.incoming(upload_id))
        await self._store.delete(keys.spare(upload_id))
        await orphans.unmark(self._store, upload_id)

    async def forget_record(self, upload_id: str) -> None:
        """Remove the record of an end. Raises StoreUnavailable."""
        await self._store.delete(keys.record(upload_id))

    async def forget_pending(self, upload_id: str) -> None:
        """Remove the pending record of a durably finished upload. Raises StoreUnavailable."""
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

    async def _take_offer(self, upload: Upload) -> Entry:
        """Write the first record of an offered upload, which accepts it.

        If there is no pending record, the upload may already have ended: an end is recorded before
        the pending record is deleted. So a worker that has the offer for the second time, or was
        suspended with it, finds that end.
        """
        try:
            written = await self._keep_in_store(upload)
        except PreconditionFailed:
            raise OfferLapsed("the upload has a record already") from None
        crash.point(crash.Point.OFFER_TAKEN)
        if await self.ended(upload.id) is not None:
            await self.forget_pending(upload.id)
            raise OfferLapsed("the upload has ended already")
        return Entry(upload, written.etag, offered=True)

    async def _end(self, upload: Upload, *, is_pending_here: bool = True) -> Entry:
        stands = await self._record_end(upload)
        crash.point(crash.Point.END_RECORDED)
        # Else the pending record may be newer, or its caller deletes it.
        if is_pending_here and (stands is upload or _is_repeated(upload, stands)):
            await self.forget_pending(upload.id)
        return Entry(stands, None)

    async def _record_end(self, upload: Upload) -> Upload:
        """Write the record of an end; returns the end that counts, which may be an earlier one."""
        key, document = keys.record(upload.id), to_json(upload)
        placed = await self._outbox.place(upload)
        try:
            written = await self._store.put(key, document, if_none_match=True)
        except PreconditionFailed:
            before = await self.open_ended(upload.id)
        else:
            await self._outbox.follow(placed, written)
            return upload
        if _is_repeated(upload, before.upload):
            return before.upload
        if upload.state in _FACTS and before.upload.state is not State.ABORTED:
            # What has become of the file since remains true.
            document = to_json(replace(upload, removed=before.upload.removed))
        elif not supersedes(upload, before.upload):
            return before.upload
        written = await self._store.put(key, document, if_match=before.version)
        await self._outbox.follow(placed, written)
        return upload

    async def _keep_in_store(self, upload: Upload) -> Written:
        document = to_json(upload)
        return await self._store.put(keys.pending(upload.id), document, if_none_match=True)


def _is_repeated(upload: Upload, ended: Upload) -> bool:
    """Whether a relay is audited once more, with the same result.

    Redis may have lost that it was audited. Its first end stays, or receivers of webhooks would
    be told of one end twice, each time with another time.
    """
    return (
        upload.delivery is Delivery.RELAY
        and upload.state is ended.state
        and len(upload.history) == len(ended.history)
        and upload.since != ended.since  # else its own write is repeated, whose answer was lost
    )
