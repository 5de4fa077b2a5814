"""What a client makes of an answer, or of none: it is done, or sends the same again. Pure."""

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
    """A whole answer, as far as a client looks at it; `retry_after` in seconds."""

    status: int
    upload_id: str | None = None
    location: str | None = None
    retry_after: float = 0.0
    message_id: int | None = None


class Ending(StrEnum):
    """How an upload ended for its client."""

    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    """A repeated key's first outcome is unknown, said the gateway, and named the resource."""

    REFUSED = "refused"
    UNACKNOWLEDGED = "unacknowledged"
    UNANSWERED = "unanswered"
    """The client repeated the request until its patience was over."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that the client of an upload knows in the end; `sha256` is what it sent.

    `answer` is the last one, `statuses` those of all tries, 0 where there was no answer.
    """

    upload: Planned
    ending: Ending
    sha256: str
    answer: Answer | None = None
    statuses: tuple[int, ...] = ()
    seconds: float = 0.0

    @property
    def upload_id(self) -> str | None:
        """The id by which the gateway knows the upload, if the client was told it."""
        if self.answer is None:
            return None
        if self.ending is Ending.UNKNOWN and self.answer.location is not None:
            return self.answer.location.rstrip("/").rpartition("/")[2]
        return self.answer.upload_id


def ending_of(mode: Mode, answer: Answer | None) -> Ending | None:
    """How the upload ended, if that answer (None: there was none) ends it."""
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
    """Seconds before a request is repeated that was tried so often; `jitter` is in [0, 1)."""
    backoff = min(_BACKOFF_CAP, _BACKOFF_BASE * 2.0 ** min(tries, 10)) * (1 + jitter) / 2
    asked = min(_RETRY_AFTER_CAP, answer.retry_after) if answer is not None else 0.0
    return max(backoff, asked)
