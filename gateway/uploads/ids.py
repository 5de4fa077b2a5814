"""Ids of uploads, and the tokens under which their files are served. Pure but for `new_id`."""

import base64
import uuid

from uuid_utils import uuid7

from gateway.crypto import SIGNATURE_BYTES, KeyRing

_ID_BYTES = 16


def new_id() -> str:
    """A fresh UUIDv7 (RFC 9562 section 5.7): a listing by id is a listing by time."""
    return str(uuid7())


def parse_id(text: str) -> str | None:
    """`text` if it is an id in its canonical form, else None."""
    try:
        canonical = str(uuid.UUID(text))
    except ValueError:
        return None
    return canonical if canonical == text else None


def created_at(upload_id: str) -> float:
    """Seconds since the epoch at which the id was made (milliseconds' precision)."""
    return (uuid.UUID(upload_id).int >> 80) / 1000


def first_id_at(seconds: float) -> str:
    """The least id that can be made at a time (seconds since the epoch)."""
    milliseconds = int(max(0.0, seconds) * 1000)
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62))


def file_token(upload_id: str, keys: KeyRing) -> str:
    """43 url-safe characters: the id with a signature, so that it cannot be guessed."""
    raw = uuid.UUID(upload_id).bytes
    return base64.urlsafe_b64encode(raw + keys.sign(raw)).rstrip(b"=").decode()


def upload_of_token(token: str, keys: KeyRing) -> str | None:
    """The id of the upload that `file_token` was made of, or None for any other text."""
    try:
        decoded = base64.b64decode(token + "=", altchars=b"-_", validate=True)
    except ValueError:
        return None
    raw, signature = decoded[:_ID_BYTES], decoded[_ID_BYTES:]
    canonical = base64.urlsafe_b64encode(decoded).rstrip(b"=").decode()
    # Two spare bits of the last character would let four texts name one file.
    well_formed = len(signature) == SIGNATURE_BYTES and canonical == token
    return str(uuid.UUID(bytes=raw)) if well_formed and keys.verify(raw, signature) else None
