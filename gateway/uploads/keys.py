"""The names of uploads' objects in the bucket and keys in Redis. Pure."""

from functools import lru_cache
from typing import Final

from gateway.text import digest

INCOMING: Final = "incoming/"
PENDING: Final = "pending/"
RECORDS: Final = "records/"
CLAIMS: Final = "claims/"
DEAD: Final = "dead/"
PRESENCES: Final = "presence/"
SPARES: Final = "spare/"
REMOVALS: Final = "removals/"
ORPHANS: Final = "orphans/"
EXPIRIES: Final = "expiry/"
SESSIONS: Final = "sessions/"
TAILS: Final = "tails/"
OUTBOX: Final = "outbox/"
STOPPED: Final = "stopped/"

SWEEP: Final = "sweep"
"""The object with the sweepers' lease and memory."""

FINDINGS: Final = "sweep:findings"
"""Redis key of the last sweep's snapshot of the pending work."""

ANNOUNCED: Final = "gateway:announced"
"""Redis sorted set of the running gateways and workers, by the time of their announcement."""

ENDED_CHANNEL: Final = "uploads:ended"
"""Redis channel on which the id of each upload is published when it finishes."""

LET_GO_CHANNEL: Final = "uploads:let-go"
"""Redis channel on which the id of an upload is published when another request continues it."""

RELAYED_SET: Final = "uploads:relayed"
"""Redis sorted set of the relayed uploads that wait for their audit, by time of acceptance."""

DUE: Final = "uploads:due"
"""Redis sorted set of the steps that will run later, by the time at which they are due."""


def incoming(upload_id: str) -> str:
    """The object that holds the file's bytes."""
    return INCOMING + upload_id


def pending(upload_id: str) -> str:
    """The record of a pending upload."""
    return PENDING + upload_id


def record(upload_id: str) -> str:
    """The record of a finished upload."""
    return RECORDS + upload_id


def spare(upload_id: str) -> str:
    """The copy of a record that does not fit into its file's metadata."""
    return SPARES + upload_id


def orphan(upload_id: str) -> str:
    """The mark of a complete file that has no record."""
    return ORPHANS + upload_id


def claim(subject: str, idempotency_key: str) -> str:
    """The claim of a subject's `Idempotency-Key`, which may hold any characters."""
    return CLAIMS + digest(f"{subject}\0{idempotency_key}")


def dead(upload_id: str) -> str:
    """The place for an unreadable record that was set aside."""
    return DEAD + upload_id


def removal(order_id: str) -> str:
    """An order to remove a hosted file."""
    return REMOVALS + order_id


def expiry(until: float, upload_id: str) -> str:
    """The mark of a file that is kept until a time (seconds since the epoch); sorted by time."""
    return f"{EXPIRIES}{max(0, int(until)):012}/{upload_id}"


def message(name: str) -> str:
    """A message for webhooks that is still to be sent; its name begins with the upload's id."""
    return OUTBOX + name


def dead_message(name: str) -> str:
    """The place for a message that was given up."""
    return dead_messages() + name


def dead_messages() -> str:
    """What the keys of messages that were given up begin with."""
    return f"{DEAD}webhooks/"


def stopped(endpoint: str) -> str:
    """The mark of an endpoint that gets no more messages; named as in the settings."""
    return STOPPED + endpoint


def session(upload_id: str) -> str:
    """The session of an upload that comes in several requests."""
    return SESSIONS + upload_id


def tail(upload_id: str, name: str) -> str:
    """Bytes of a session that are not a whole part yet."""
    return f"{tails(upload_id)}{name}"


def tails(upload_id: str) -> str:
    """What the keys of a session's tails begin with."""
    return f"{TAILS}{upload_id}/"


def owner_of_tail(key: str) -> str:
    """The id of the upload that a tail belongs to."""
    return key.removeprefix(TAILS).partition("/")[0]


def presences(process: str) -> str:
    """The uploads that a process receives, which it lists here while Redis accepts no marks."""
    return PRESENCES + process


def id_of(key: str) -> str:
    """The id of the upload in any of the keys above."""
    return key.rpartition("/")[2]


def relayed(upload_id: str) -> str:
    """The Redis key of a relayed upload's record."""
    return f"uploads:relayed:{upload_id}"


def tries(upload_id: str) -> str:
    """The Redis key that counts the upload's steps that did not finish."""
    return f"uploads:tries:{upload_id}"


def presence(upload_id: str) -> str:
    """The Redis key of the mark that a process is receiving the upload."""
    return f"uploads:present:{upload_id}"


PRESENT_SINCE: Final = "uploads:present-since"
"""Redis key of the time (by Redis' clock) since when Redis has every mark of a presence."""


WRITTEN: Final = "gateway:written"
"""Redis key that is written to check whether Redis accepts writes."""


@lru_cache(1000)
def of_subject(subject: str) -> str:
    """The Redis sorted set of a subject's uploads, by time; and the channel for their changes."""
    return f"uploads:of:{digest(subject)}"


@lru_cache(1000)
def sessions_of(subject: str) -> tuple[str, str]:
    """The Redis sorted set of a subject's open sessions, and the mark that there are too many."""
    place = f"uploads:sessions:{digest(subject)}"
    return place, f"{place}:full"


@lru_cache(1000)
def quota(subject: str) -> tuple[str, str, str]:
    """The Redis keys of a subject's use: requests, bytes, and uploads in progress."""
    place = f"quota:{digest(subject)}"
    return f"{place}:requests", f"{place}:bytes", f"{place}:uploads"
