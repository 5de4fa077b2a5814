"""What a client does after an answer, or without one: it is done, or repeats the request. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chaos.uploads import Mode, Planned

_TRANSIENT: Final = frozenset({408, 425, 429})
_CONFLICT: Final = 409

_BACKOFF_BASE = 0.2
_BACKOFF_CAP = 5.0
_RETRY_AFTER_CAP = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The parts of a complete answer that a client uses; `retry_after` in seconds."""

    status: int
    upload_id: str | None = None
    location: str | None = None
    retry_after: float = 0.0
    message_id: int | None = None


class Ending(StrEnum):
    """How an upload ended for its client."""

    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    """The gateway answered that the outcome of the key's first request is unknown."""

    REFUSED = "refused"
    UNACKNOWLEDGED = "unacknowledged"
    UNANSWERED = "unanswered"
    """The client repeated the request until its patience was over."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that the client of an upload knows in the end; `sha256` is of what it sent.

    `answer` is the last one, `statuses` those of all attempts, 0 for one without an answer.
    """

    upload: Planned
    ending: Ending
    sha256: str
    answer: Answer | None = None
    statuses: tuple[int, ...] = ()
    seconds: float = 0.0

    @property
    def upload_id(self) -> str | None:
        """The gateway's id of the upload, if the client received it."""
        if self.answer is None:
            return None
        if self.ending is Ending.UNKNOWN and self.answer.location is not None:
            return self.answer.location.rstrip("/").rpartition("/")[2]
        return self.answer.upload_id


def ending_of(mode: Mode, answer: Answer | None) -> Ending | None:
    """How the upload ended, if this answer (None: there was none) ends it."""
    if answer is None:
        return None
    if 200 <= answer.status < 300:
        return Ending.ACKNOWLEDGED
    if answer.status == _CONFLICT and mode is Mode.RELAY_KEYED:
        return Ending.UNKNOWN
    if 400 <= answer.status < 500 and answer.status not in _TRANSIENT:
        return Ending.REFUSED
    return None


def pause(tries: int, answer: Answer | None, jitter: float) -> float:
    """Seconds before the next attempt after `tries` attempts; `jitter` is in [0, 1)."""
    backoff = min(_BACKOFF_CAP, _BACKOFF_BASE * 2.0 ** min(tries, 10)) * (1 + jitter) / 2
    asked = min(_RETRY_AFTER_CAP, answer.retry_after) if answer is not None else 0.0
    return max(backoff, asked)
