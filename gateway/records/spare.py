"""A copy of an upload's record next to its file, from which the upload can be resumed.

Records can be lost by an operator's mistake, a lifecycle rule, or a partial restore of a backup.
The copy has the content of `pending/{id}` at the acceptance, compressed and sealed, since readers
of a hosted file may see the metadata of its object. A copy with a caller's token is an object of
its own, so that the token can be erased when the upload ends.
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
    """The copy, and the key for it if it does not fit into the file's metadata."""
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
    """Remove the caller's token from the copy of an upload that is about to end.

    Raises StoreUnavailable.
    """
    note = spare_of(replace(upload, authorization=None), ring)
    await store.put(note.key, note.text.encode())


def recovered(spare: Upload, at: datetime, quiet: float) -> Upload:
    """The record with which to resume an upload, at the time `at`. Pure.

    The upload may have been at any point when its record was lost, at least `quiet` seconds ago. A
    worker may have been about to send the reference. So no other worker sends one, or concludes
    that there is no message, before ChatKitty would list that message.
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
