"""Secrets and signatures as Standard Webhooks 1.0.0 defines them. Pure.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

PREFIX: Final = "whsec_"
_SIZES: Final = range(24, 65)


def key_of(secret: str) -> bytes:
    """The key in a secret. Raises ValueError if the text is not a secret."""
    encoded = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if encoded == secret or len(key) not in _SIZES:
        raise ValueError(
            f"must be `{PREFIX}` and 24 to 64 bytes in base64; `openssl rand -base64 32` makes them"
        )
    return key


def headers_of(message_id: str, at: int, body: bytes, keys: Iterable[bytes]) -> dict[str, str]:
    """The headers of an attempt at the time `at` (seconds since the epoch), signed by each key."""
    text = f"{message_id}.{at}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{_signature(key, text)}" for key in keys),
    }


def _signature(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
