"""A copy of an upload's record beside its file's bytes, from which it can be taken up again.

Records are lost by an operator's slip, a lifecycle rule, a backup that is restored in part. The
copy is what `pending/{id}` has when the upload is accepted, compressed and sealed: readers of a
hosted file may see the metadata of its object.
"""

import zlib

import msgspec

from gateway.crypto import KeyRing
from gateway.errors import ObjectNotFound
from gateway.store.objects import ObjectStore
from gateway.store.writer import Note
from gateway.uploads import keys
from gateway.uploads.record import Upload, from_json, to_json


def spare_of(upload: Upload, ring: KeyRing) -> Note:
    """The copy, and where it is kept if the file's metadata has no room for it."""
    return Note(keys.spare(upload.id), ring.seal(zlib.compress(to_json(upload))))


async def find_spare(store: ObjectStore, ring: KeyRing, upload_id: str) -> Upload | None:
    """The record of which a copy is beside the upload's file; None where there is none to read.

    Raises ObjectNotFound where there is no file, StoreUnavailable.
    """
    text = (await store.head(keys.incoming(upload_id))).note
    if text is None:
        try:
            text = (await store.get(keys.spare(upload_id))).content.decode("ascii", "replace")
        except ObjectNotFound:
            return None
    sealed = ring.unseal(text)
    try:
        return from_json(zlib.decompress(sealed)) if sealed is not None else None
    except (zlib.error, msgspec.DecodeError):  # another version's
        return None
