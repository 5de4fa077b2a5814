"""A session: the state of an upload in several requests. Pure.

A session is one document in the bucket, which every request changes by a conditional write. So any
gateway can continue it, and if two try at the same time, one of them is refused.

The bytes of the file that have arrived are in two places. Whole parts are in a multipart upload of
the store; part *n* always covers the same bytes of the file, whichever gateway sends it. The bytes
after the last whole part are in tail objects, one for each request, which never change. If the file
is in a form, the session itself contains the bytes around it.
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
"""If a session has this many tails, the next request writes them as one: sessions stay small."""


class Phase(StrEnum):
    """The phase of a session."""

    OPEN = "open"
    """It accepts bytes."""
    COMPLETE = "complete"
    """It has all bytes: any process that finds it makes the file."""
    CANCELLED = "cancelled"
    """Its client cancelled it."""
    INVALID = "invalid"
    """Its bytes cannot become a file."""
    EXPIRED = "expired"
    """Its client did not return in time."""


PHASES: Final[Mapping[Phase, frozenset[Phase]]] = {
    Phase.OPEN: frozenset({Phase.COMPLETE, Phase.CANCELLED, Phase.INVALID, Phase.EXPIRED}),
    Phase.COMPLETE: frozenset({Phase.INVALID}),
    Phase.CANCELLED: frozenset(),
    Phase.INVALID: frozenset(),
    Phase.EXPIRED: frozenset(),
}
"""Which phase may follow which. A session in any other phase is removed, with its bytes."""


class SentPart(msgspec.Struct, frozen=True, array_like=True):
    """A part that the store has."""

    etag: str
    crc32c: int


class Tail(msgspec.Struct, frozen=True, array_like=True):
    """An object with bytes of the file after the last part; its name is its writer's."""

    name: str
    size: int
    crc32c: int


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The multipart upload of a session's file, and its parts in order."""

    upload_id: str
    whole_checksum: bool
    sent: tuple[SentPart, ...] = ()


class FormAround(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes of a form around its file; those of the file are stored as for any session.

    `content_type` declares the boundary. `opening` is the form up to the file's first byte. `rest`
    follows the stored bytes of the file: the last parts of the form, or bytes that may belong to
    the file or to a delimiter. The limits of forms apply to both.
    """

    content_type: str
    max_file_size: int
    opening: bytes = b""
    rest: bytes = b""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """An upload in several requests; `upload` is its record, and will be that of the file.

    `dialect` is its client's protocol; `metadata` is the client's, unchanged. `length` is that of
    the whole body, None if it is not known yet; `limit` is the most that is allowed. If there is a
    `form`, that is the body, and describes the file; else the file is. `wait`: seconds for which
    the last request waits for the registration. `crc32c` covers all durable bytes of the file.
    `holder` is the request that is sending parts, and `generation` counts such requests.
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
    form: FormAround | None = None

    @property
    def id(self) -> str:
        """The upload's id."""
        return self.upload.id

    @property
    def sent(self) -> tuple[SentPart, ...]:
        """The whole parts that the store has."""
        return self.parts.sent if self.parts is not None else ()

    @property
    def in_tails(self) -> int:
        """The number of bytes in tail objects."""
        return sum(tail.size for tail in self.tails)

    @property
    def stored(self) -> int:
        """The number of durable bytes of the file."""
        return border(len(self.sent)) + self.in_tails

    @property
    def around(self) -> int:
        """The number of bytes of a form in the session itself."""
        return len(self.form.opening) + len(self.form.rest) if self.form is not None else 0

    @property
    def offset(self) -> int:
        """The number of durable bytes of the whole body."""
        return self.stored + self.around

    def relies_on(self, name: str) -> bool:
        """Whether the session has bytes in the multipart upload, or the tail, with that name."""
        if self.parts is not None and self.parts.upload_id == name:
            return True
        return any(tail.name == name for tail in self.tails)

    @property
    def is_whole(self) -> bool:
        """Whether the length is known, and all bytes have arrived."""
        return self.length == self.offset


@lru_cache
def border(parts: int) -> int:
    """The number of bytes in the first `parts` parts. Raises PartLimitExceeded."""
    return sum(part_size(number) for number in range(1, parts + 1))


def move(session: Session, phase: Phase) -> Session:
    """The session in another phase, without a holder. Raises IllegalTransition."""
    if phase not in PHASES[session.phase]:
        raise IllegalTransition(f"a session that is {session.phase} cannot become {phase}")
    return replace(session, phase=phase, holder=None)


def fenced(session: Session) -> Session:
    """The session after a change that refuses all writes by earlier readers.

    Every write changes the version that the next one must name.
    """
    return replace(session, generation=session.generation + 1, holder=None)


def with_length(session: Session, length: int | None) -> Session:
    """The session with its length; None changes nothing.

    Raises InconsistentUploadLength if the length differs from the one before, or is less than the
    bytes that have arrived.
    """
    if length is None or session.length == length:
        return session
    if session.length is not None:
        raise InconsistentUploadLength(f"the upload's length is {session.length}, not {length}")
    if length < session.offset:
        raise InconsistentUploadLength(
            f"{session.offset} bytes have already arrived, which is more than {length}"
        )
    return replace(session, length=length)


def check_open(session: Session) -> None:
    """Raises SessionEnded unless the session accepts bytes, or is complete."""
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
    """The session as a document; invalid characters in its texts are replaced."""
    try:
        return _encoder.encode(session)
    except UnicodeEncodeError:
        return _encoder.encode(cleaned(session))


def from_json(document: bytes, upload_id: str) -> Session:
    """The session of that upload in a document.

    Raises msgspec.DecodeError for any other document, also if it is another upload's.
    """
    session = kept.read(_decoder, document)
    if session.id != upload_id:
        raise msgspec.ValidationError("it belongs to another upload")
    return session
