"""The record of an upload: all that is known of it and still to do for it, and its JSON form."""

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
    """Where an upload stands."""

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
    """One `file` part: what the client said of it and what was counted and found.

    `head` and `pieces` hold a relayed file's first bytes, and what else tells its kind, until its
    audit; a hosted file's are in the store.
    `disposition`, also until then, is the Content-Disposition that a relayed file came with, if
    servers can read another name in it than `original_name`.
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

    `removes_replaced`: a display picture takes the file of the one before with it.
    `file_retention`: for how long a hosted file lives after it was received; None: for good.
    """

    allowed_types: tuple[str, ...] = ()
    denied_types: tuple[str, ...] | None = None
    require_match: bool = False
    on_mismatch: OnMismatch = OnMismatch.FLAG
    removes_replaced: bool = False
    file_retention: float | None = None


class Fault(msgspec.Struct, frozen=True):
    """Why an upload did not reach the end that it was meant for: a problem's slug and detail."""

    slug: str
    detail: str


CANCELLED = Fault("cancelled", "cancelled by an operator")
FILE_LOST = Fault("file-lost", "the stored file is gone")
FILE_CORRUPT = Fault("file-corrupt", "the stored file is not what was received")
NOT_REGISTERED = "registration-failed"
DEAD_LETTER = "dead-letter"
"""Slugs of the faults after which an operator may take a hosted upload up again."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The registrations that were tried; it is durable before each request is sent.

    `lease` and `pause` are in seconds from when the record was written, by the store's clock: so
    long the last attempt may be in progress, and nobody else may try; and so long nobody should.
    `unknown`: the last one may have reached the upstream, so the next worker looks first, and
    that it finds nothing counts only after `settling` seconds.
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
    """Its subject wanted it."""
    PICTURE = "picture"
    """It was a display picture, which another one replaced."""
    RETENTION = "retention"
    """It was kept for as long as its route says."""
    OPERATOR = "operator"
    """An operator purged it, and its record."""


class Removed(msgspec.Struct, frozen=True):
    """When a hosted file was removed (UTC), and why."""

    at: datetime
    cause: Cause


_TAKEN = frozenset({State.STORED, State.RELAYED})
"""The states that are reached when the body has ended."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload, from its acceptance to its end.

    `token_until` is when the token that it came with expires, None if unknown.
    `doubted`: for one of its `ambiguities`, others may have read another file than `files` has.
    `trace` is the W3C Trace Context under which workers go on with it, if traces are kept.
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
        """When its body had ended; ChatKitty has no message of it that is older."""
        return next((change.at for change in self.history if change.state in _TAKEN), self.since)

    @property
    def outlived_token(self) -> bool:
        """Whether its token had ended when its body had."""
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
        """The same upload with its one file described anew."""
        return replace(self, files=(file,))


def abandoned(upload_id: str, at: datetime) -> Upload:
    """The record of an upload of which it is only known that it never finished.

    `at` is when that was seen; its id contains when it began.
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
        fault=Fault("abandoned", "the upload never ended"),
    )


_decoder = msgspec.json.Decoder(Upload)
_encoder = msgspec.json.Encoder()
_unpacker = msgspec.msgpack.Decoder(Upload)
_packer = msgspec.msgpack.Encoder()


def to_json(upload: Upload) -> bytes:
    """The record as it is kept; `authorization` in it is encrypted, times are RFC 3339.

    Text in it that cannot be encoded is cleaned; so it is in a packed one.
    """
    try:
        return _encoder.encode(upload)
    except UnicodeEncodeError:
        return _encoder.encode(cleaned(upload))


def from_json(document: bytes) -> Upload:
    """The upload of a kept record. Raises msgspec.DecodeError for any other document."""
    return kept.read(_decoder, document)


def pack(upload: Upload) -> bytes:
    """The record as Redis has it: MessagePack, which takes a file's first bytes as they are."""
    try:
        return _packer.encode(upload)
    except UnicodeEncodeError:
        return _packer.encode(cleaned(upload))


def unpack(document: bytes) -> Upload:
    """The upload of a packed record. Raises msgspec.DecodeError for any other document."""
    return kept.read(_unpacker, document)
