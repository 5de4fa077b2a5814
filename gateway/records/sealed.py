"""A record outside of `pending/` and `records/`: compressed, and sealed by the key ring.

Access to the place where it is kept is not enough to read or to forge the record.
"""

import zlib

import msgspec

from gateway.crypto import KeyRing
from gateway.uploads.record import Upload, from_json, to_json


def seal(upload: Upload, ring: KeyRing) -> str:
    """The record as an ASCII text without white space."""
    return ring.seal(zlib.compress(to_json(upload)))


def unseal(text: str, ring: KeyRing) -> Upload | None:
    """The record of a sealed text; None if it has another key, or is of another version."""
    document = ring.unseal(text)
    try:
        return from_json(zlib.decompress(document)) if document is not None else None
    except (zlib.error, msgspec.DecodeError):
        return None
