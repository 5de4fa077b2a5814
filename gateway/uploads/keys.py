"""The names under which uploads are kept: in the bucket, and in Redis. Pure."""

import hashlib
from functools import lru_cache
from typing import Final

INCOMING: Final = "incoming/"
PENDING: Final = "pending/"
RECORDS: Final = "records/"

ENDED_CHANNEL: Final = "uploads:ended"
"""Redis channel on which the id of each upload is published when it comes to its end."""

RELAYED_SET: Final = "uploads:relayed"
"""Redis sorted set of the relayed uploads that await their audit, by time of acceptance."""


def incoming(upload_id: str) -> str:
    """The object that holds the file's bytes."""
    return INCOMING + upload_id


def pending(upload_id: str) -> str:
    """The record of an upload for which something is still to do."""
    return PENDING + upload_id


def record(upload_id: str) -> str:
    """The record of an upload at its end."""
    return RECORDS + upload_id


def id_of(key: str) -> str:
    """The upload's id in any of the keys above."""
    return key.rpartition("/")[2]


def relayed(upload_id: str) -> str:
    """The Redis key of a relayed upload's record."""
    return f"uploads:relayed:{upload_id}"


@lru_cache(1000)
def of_subject(subject: str) -> str:
    """The Redis sorted set of a subject's uploads, by time."""
    return f"uploads:of:{hashlib.sha256(subject.encode()).hexdigest()}"
