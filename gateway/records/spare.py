"""A copy of an upload's record next to its file, from which the upload can be resumed.

Records are lost by an operator's slip, a lifecycle rule, a backup that is restored in part. The
copy is what `pending/{id}` has when the upload is accepted, compressed and sealed: readers of a
hosted file may see the metadata of its object. A copy that holds its caller's token is an object
of its own, since the token leaves it at the upload's end.
"""

from datetime import datetime

from msgspec.structs import replace

from gateway.crypto import KeyRing
from gateway.errors import ObjectNotFound
from gateway.records import sealed
from gateway.store.objects import ObjectStore
from gateway.store.writer import Note
from gateway.uploads import keys
from gateway.uploads.attempts import EXCHANGE_SECONDS, lease_of
from gateway.uploads.record import Attempt, State, Upload
from gateway.upstream import retry

_LEASE = lease_of(EXCHANGE_SECONDS)


def spare_of(upload: Upload, ring: KeyRing) -> Note:
    """The copy, and its key if the file's metadata has no room for it."""
    text = sealed.seal(upload, ring)
    return Note(keys.spare(upload.id), text, beside=upload.authorization is not None)


async def find_spare(store: ObjectStore, ring: KeyRing, upload_id: str) -> Upload | None:
    """The record from the copy next to the upload's file; None if there is no readable copy.

    Raises ObjectNotFound if there is no file, StoreUnavailable.
    """
    text = (await store.head(keys.incoming(upload_id))).note
    if text is None:
        try:
            text = (await store.get(keys.spare(upload_id))).content.decode("ascii", "replace")
        except ObjectNotFound:
            return None
    return sealed.unseal(text, ring)


async def forget_token(store: ObjectStore, ring: KeyRing, upload: Upload) -> None:
    """Have the copy of an upload that is about to end hold its caller's token no more.

    Raises StoreUnavailable.
    """
    note = spare_of(replace(upload, authorization=None), ring)
    await store.put(note.key, note.text.encode())


def recovered(spare: Upload, at: datetime, quiet: float) -> Upload:
    """The record to take an upload up again with, at the time `at`. Pure.

    It may have been at any point when its record was lost, `quiet` seconds ago or more. Then a
    worker may have been about to send the reference, so none sends another, or trusts that there
    is no message, before that one would be listed.
    """
    stored = next(n for n, change in enumerate(spare.history, 1) if change.state is State.STORED)
    attempt = Attempt(
        count=0,
        first_at=at,
        unknown=True,
        lease=max(0.0, _LEASE - quiet),
        settling=max(0.0, _LEASE + retry.LISTING_AFTER_TIMEOUT - quiet),
    )
    return replace(spare, history=spare.history[:stored], attempt=attempt)
