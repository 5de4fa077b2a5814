"""Ids of uploads. Pure but for `new_id`."""

import uuid

from uuid_utils import uuid7


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
