"""The signed tokens under which hosted files are served. Pure."""

import base64
import uuid
from dataclasses import dataclass

from gateway.crypto import SIGNATURE_BYTES, KeyRing

_ID_BYTES = 16
_EXPIRY_BYTES = 5
"""The size of an expiry, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class FileLink:
    """The upload that a file token names, and its expiry: seconds since the epoch, or None."""

    upload_id: str
    expires: int | None = None


def file_token(link: FileLink, keys: KeyRing) -> str:
    """43 url-safe characters, or 50 with an expiry; the signature prevents guesses and changes."""
    message = uuid.UUID(link.upload_id).bytes
    if link.expires is not None:
        message += link.expires.to_bytes(_EXPIRY_BYTES)
    return base64.urlsafe_b64encode(message + keys.sign(message)).rstrip(b"=").decode()


def link_of_token(token: str, keys: KeyRing, now: float) -> FileLink | None:
    """What `file_token` was made of; None for any other text, and for an expired token."""
    try:
        decoded = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    message, signature = decoded[:-SIGNATURE_BYTES], decoded[-SIGNATURE_BYTES:]
    canonical = base64.urlsafe_b64encode(decoded).rstrip(b"=").decode()
    # Otherwise the two spare bits of the last character would let four texts name one file.
    if len(message) not in (_ID_BYTES, _ID_BYTES + _EXPIRY_BYTES) or canonical != token:
        return None
    if not keys.verify(message, signature):
        return None
    end = message[_ID_BYTES:]
    link = FileLink(str(uuid.UUID(bytes=message[:_ID_BYTES])), int.from_bytes(end) if end else None)
    return link if link.expires is None or now < link.expires else None
