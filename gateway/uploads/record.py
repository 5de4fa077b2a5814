"""The record of an upload: what is known about it, what is still to do, and its JSON form."""

from datetime import UTC, datetime
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from gateway import kept
from gateway.answer import Answer
from gateway.choices import Delivery, OnMismatch
from gateway.text import cleaned
from gateway.uploads.excerpt import Piece
from gateway.uploads.ids import created_at


class State(StrEnum):
    """The state of an upload."""

    RECEIVING = "receiving"
    STORED = "stored"
    INSPECTED = "inspected"
    REGISTERED = "registered"
    RELAYED = "relayed"
    AUDITED = "audited"
    FLAGGED = "flagged"
    REJECTED = "rejected"
    FAILED = "failed"
    ABORTED = "aborted"


class Change(msgspec.Struct, frozen=True):
    """A state and the time (UTC) at which it was reached."""

    state: State
    at: datetime


class Target(msgspec.Struct, frozen=True):
    """The upstream request that the client made: its method, and its path and query as sent."""

    method: str
    path: str


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One `file` part: what the client declared, and what was counted and found.

    `head` and `pieces` hold a relayed file's first bytes, and others that identify its type, until
    its audit; those of a hosted file are in the store. `disposition`, also until then, is the
    Content-Disposition of a relayed file, if servers can read another name in it than
    `original_name`.
    """

    name: str
    original_name: str | None
    declared_type: str | None
    size: int
    crc32c: int | None = None
    sha256: str | None = None
    content_type: str | None = None
    head: bytes = b""
    pieces: tuple[Piece, ...] = ()
    disposition: bytes = b""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The limits and the policy under which an upload was accepted; workers read no settings.

    `removes_replaced`: a new display picture removes the file of the one that it replaces.
    `file_retention`: seconds for which a hosted file is kept after it was received; None: for ever.
    """

    allowed_types: tuple[str, ...] = ()
    denied_types: tuple[str, ...] | None = None
    require_match: bool = False
    on_mismatch: OnMismatch = OnMismatch.FLAG
    removes_replaced: bool = False
    file_retention: float | None = None


class Fault(msgspec.Struct, frozen=True):
    """Why an upload did not succeed: a problem's slug and detail."""

    slug: str
    detail: str


CANCELLED = Fault("cancelled", "cancelled by an operator")
FILE_LOST = Fault("file-lost", "the stored file is gone")
FILE_CORRUPT = Fault("file-corrupt", "the stored file is not what was received")
NOT_REGISTERED = "registration-failed"
DEAD_LETTER = "dead-letter"
"""Slugs of the faults after which an operator may resume a hosted upload."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The registrations that were tried; it is durable before each request is sent.

    `lease` and `pause` are seconds after the record was written, by the store's clock. During the
    lease the last attempt may be in progress, so no other may begin; the pause is the back-off
    before the next. `unknown`: the last attempt may have reached the upstream, so the next worker
    searches first; finding nothing counts only after `settling` seconds.
    """

    count: int
    first_at: datetime
    unknown: bool
    lease: float = 0.0
    pause: float = 0.0
    settling: float = 0.0


class Cause(StrEnum):
    """Why a hosted file was removed."""

    MESSAGE = "message"
    """Its message was deleted."""
    SUBJECT = "subject"
    """Its subject removed it."""
    PICTURE = "picture"
    """It was a display picture, and another one replaced it."""
    RETENTION = "retention"
    """It was kept for the time that its route sets."""
    OPERATOR = "operator"
    """An operator purged it, and its record."""


class Removed(msgspec.Struct, frozen=True):
    """When a hosted file was removed (UTC), and why."""

    at: datetime
    cause: Cause


_TAKEN = frozenset({State.STORED, State.RELAYED})
"""The states that an upload reaches when its body has ended."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload, from its acceptance to its end.

    `token_until` is when its token expires, None if unknown. `doubted`: one of its `ambiguities`
    may make other readers see another file than the one in `files`. `trace` is the W3C Trace
    Context that workers continue, if traces are kept. `came_as` is the size in bytes of a form that
    came in several requests, which is where its client finds it complete.
    """

    id: str
    subject: str
    request_id: str
    trace: dict[str, str] = {}
    delivery: Delivery
    target: Target
    history: tuple[Change, ...]
    files: tuple[File, ...]
    terms: Terms
    fields: tuple[tuple[str, str], ...] = ()
    url: str | None = None
    authorization: str | None = None
    token_until: datetime | None = None
    ambiguities: tuple[str, ...] = ()
    doubted: bool = False
    attempt: Attempt | None = None
    result: Answer | None = None
    fault: Fault | None = None
    removed: Removed | None = None
    came_as: int | None = None

    @property
    def state(self) -> State:
        """The state that was reached last."""
        return self.history[-1].state

    @property
    def since(self) -> datetime:
        """When the state was reached."""
        return self.history[-1].at

    @property
    def taken_at(self) -> datetime:
        """When its body had ended; its message in ChatKitty is not older."""
        return next((change.at for change in self.history if change.state in _TAKEN), self.since)

    @property
    def outlived_token(self) -> bool:
        """Whether its token had expired before its body ended."""
        if self.token_until is None:
            return False
        taken = (change.at for change in self.history if change.state in _TAKEN)
        return any(at > self.token_until for at in taken)

    @property
    def file(self) -> File:
        """The one file of an `external` upload."""
        return self.files[0]

    @property
    def message_id(self) -> int | None:
        """The id of the message that it was registered as, if it was one, by ChatKitty's answer."""
        if self.state is not State.REGISTERED or self.result is None:
            return None
        document = self.result.json_object() or {}
        found = document.get("id") if isinstance(document.get("file"), dict) else None
        return found if type(found) is int else None

    def with_file(self, file: File) -> "Upload":
        """The same upload with another description of its one file."""
        return replace(self, files=(file,))


def is_erased(upload: Upload) -> bool:
    """Whether its record is the one that a purge leaves: an upload without an end or a subject."""
    return upload.state is State.ABORTED and not upload.subject


def abandoned(upload_id: str, at: datetime) -> Upload:
    """The record of an upload that never finished, if nothing else is known about it.

    `at` is when that was found; its id contains when it began.
    """
    began = datetime.fromtimestamp(created_at(upload_id), UTC)
    return Upload(
        id=upload_id,
        subject="",
        request_id="",
        delivery=Delivery.EXTERNAL,
        target=Target("", ""),
        history=(Change(State.RECEIVING, began), Change(State.ABORTED, at)),
        files=(),
        terms=Terms(),
        fault=Fault("abandoned", "the upload was never completed"),
    )


_decoder = msgspec.json.Decoder(Upload)
_encoder = msgspec.json.Encoder()
_unpacker = msgspec.msgpack.Decoder(Upload)
_packer = msgspec.msgpack.Encoder()


def to_json(upload: Upload) -> bytes:
    """The record as JSON; its `authorization` is encrypted, times are as in RFC 3339.

    Text that cannot be encoded is cleaned, as in a packed record.
    """
    try:
        return _encoder.encode(upload)
    except UnicodeEncodeError:
        return _encoder.encode(cleaned(upload))


def from_json(document: bytes) -> Upload:
    """The upload in a JSON record. Raises msgspec.DecodeError for any other document."""
    return kept.read(_decoder, document)


def pack(upload: Upload) -> bytes:
    """The record as kept in Redis: MessagePack, which holds a file's first bytes as they are."""
    try:
        return _packer.encode(upload)
    except UnicodeEncodeError:
        return _packer.encode(cleaned(upload))


def unpack(document: bytes) -> Upload:
    """The upload in a packed record. Raises msgspec.DecodeError for any other document."""
    return kept.read(_unpacker, document)
