"""A session: an upload whose file comes in several requests. Pure.

A session is one document in the bucket, which every request changes by a conditional write. So any
gateway continues it, and of two that try at a time one learns that it is too late.

The file's bytes up to the session's offset are in two places. Whole parts are in a multipart upload
of the store; part *n* always covers the same bytes of the file, whichever gateway sends it. What is
not a whole part yet is in tail objects, one for each request, which are never rewritten.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway import kept
from gateway.errors import IllegalTransition, InconsistentUploadLength, SessionEnded
from gateway.store.parts import part_size
from gateway.text import cleaned
from gateway.uploads.record import Upload

MOST_TAILS: Final = 256
"""Tail objects after which a request writes all of them as one: a session stays small."""


class Phase(StrEnum):
    """Where a session stands."""

    OPEN = "open"
    """It accepts bytes."""
    COMPLETE = "complete"
    """It has all bytes: whichever process finds it makes the file of them."""
    CANCELLED = "cancelled"
    """Its client gave it up."""
    INVALID = "invalid"
    """What came cannot become a file."""
    EXPIRED = "expired"
    """Its client did not come back in time."""


PHASES: Final[Mapping[Phase, frozenset[Phase]]] = {
    Phase.OPEN: frozenset({Phase.COMPLETE, Phase.CANCELLED, Phase.INVALID, Phase.EXPIRED}),
    Phase.COMPLETE: frozenset({Phase.INVALID}),
    Phase.CANCELLED: frozenset(),
    Phase.INVALID: frozenset(),
    Phase.EXPIRED: frozenset(),
}
"""Which phase may follow which. A session at its end is removed, and so is what it wrote."""


class SentPart(msgspec.Struct, frozen=True, array_like=True):
    """A part that the store has."""

    etag: str
    crc32c: int


class Tail(msgspec.Struct, frozen=True, array_like=True):
    """An object with bytes of the file from behind the last part, named by who wrote it."""

    name: str
    size: int
    crc32c: int


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The multipart upload of a session's file, and the parts that it has, from the first on."""

    upload_id: str
    whole_checksum: bool
    sent: tuple[SentPart, ...] = ()


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that comes in several requests; `upload` is its record, and will be its last one.

    `dialect` is what its client speaks; `metadata` is what the client said of the file, verbatim.
    `length` is the file's, None if not known yet, and `limit` its most. `wait`: seconds for which
    the last request waits for the registration. `crc32c` is that of all bytes before the offset.
    `holder` names the request that is sending parts, and `generation` counts those that did.
    """

    upload: Upload
    dialect: str
    name: str
    declared_type: str | None
    limit: int
    original_name: str | None = None
    metadata: str | None = None
    length: int | None = None
    wait: float = 0.0
    phase: Phase = Phase.OPEN
    parts: Parts | None = None
    tails: tuple[Tail, ...] = ()
    crc32c: int = 0
    generation: int = 0
    holder: str | None = None

    @property
    def id(self) -> str:
        """The upload's."""
        return self.upload.id

    @property
    def sent(self) -> tuple[SentPart, ...]:
        """The whole parts that the store has."""
        return self.parts.sent if self.parts is not None else ()

    @property
    def in_tails(self) -> int:
        """Bytes that are in tail objects."""
        return sum(tail.size for tail in self.tails)

    @property
    def offset(self) -> int:
        """Bytes of the file that are durable."""
        return border(len(self.sent)) + self.in_tails

    def relies_on(self, name: str) -> bool:
        """Whether bytes of it are in the multipart upload, or in the tail, of that name."""
        if self.parts is not None and self.parts.upload_id == name:
            return True
        return any(tail.name == name for tail in self.tails)

    @property
    def is_whole(self) -> bool:
        """Whether all bytes of a known length are there."""
        return self.length == self.offset


@lru_cache
def border(parts: int) -> int:
    """Bytes of the file in the first `parts` parts. Raises PartLimitExceeded."""
    return sum(part_size(number) for number in range(1, parts + 1))


def move(session: Session, phase: Phase) -> Session:
    """The session in another phase, without a holder. Raises IllegalTransition."""
    if phase not in PHASES[session.phase]:
        raise IllegalTransition(f"a session that is {session.phase} cannot become {phase}")
    return replace(session, phase=phase, holder=None)


def fenced(session: Session) -> Session:
    """The session with nobody's writes accepted but those of a request that reads it from now on.

    Every write changes the version that the next one has to name.
    """
    return replace(session, generation=session.generation + 1, holder=None)


def with_length(session: Session, length: int | None) -> Session:
    """The session once its length is told; None tells nothing.

    Raises InconsistentUploadLength if it was another one before, or is less than what has come.
    """
    if length is None or session.length == length:
        return session
    if session.length is not None:
        raise InconsistentUploadLength(
            f"the upload's length was {session.length} before, and now is {length}"
        )
    if length < session.offset:
        raise InconsistentUploadLength(
            f"{session.offset} bytes have come already, which is more than {length}"
        )
    return replace(session, length=length)


def check_open(session: Session) -> None:
    """Raises SessionEnded unless the session accepts bytes or has them all."""
    if session.phase not in {Phase.OPEN, Phase.COMPLETE}:
        raise SessionEnded(_ENDED[session.phase])


_ENDED: Final[Mapping[Phase, str]] = {
    Phase.CANCELLED: "the upload was cancelled",
    Phase.INVALID: "the upload cannot be completed",
    Phase.EXPIRED: "the upload has expired",
}

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Session)


def to_json(session: Session) -> bytes:
    """The session as it is kept; text in it that cannot be encoded is cleaned."""
    try:
        return _encoder.encode(session)
    except UnicodeEncodeError:
        return _encoder.encode(cleaned(session))


def from_json(document: bytes) -> Session:
    """The session of a kept document. Raises msgspec.DecodeError for any other document."""
    return kept.read(_decoder, document)
