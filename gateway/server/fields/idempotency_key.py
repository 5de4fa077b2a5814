"""The `Idempotency-Key` header of an upload. Pure.

Source: draft-ietf-httpapi-idempotency-key-header. Its structured string is accepted as well as a
bare one: the key is opaque, and compared as it was sent.
"""

from collections.abc import Sequence

from gateway.errors import MalformedRequest
from gateway.records.claims import LONGEST_KEY


def idempotency_key(values: Sequence[str]) -> str | None:
    """The key among the header's values, None if there is none. Raises MalformedRequest."""
    if not values:
        return None
    key = values[0].strip()
    if len(values) > 1 or not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise MalformedRequest(
            f"send one Idempotency-Key of 1 to {LONGEST_KEY} printable characters"
        )
    return key
