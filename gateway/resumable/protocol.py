"""What the dialects of resumable uploads have in common. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from multidict import CIMultiDictProxy


class Door(Enum):
    """Where uploads begin; each door has its own dialects."""

    RAW = auto()
    """The body is the file: the draft, or a plain POST or PUT."""
    TUS = auto()


class HeadLike(Protocol):
    """The parts of a request's head that dialects read."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """All headers."""

    @property
    def content_length(self) -> int | None:
        """The length in bytes; None if the body is chunked, or if there is no body."""

    @property
    def has_body(self) -> bool:
        """Whether there is a body."""


def content_size(head: HeadLike) -> int | None:
    """The number of bytes of the content; None if the request does not say."""
    return head.content_length if head.has_body else 0


@dataclass(frozen=True, slots=True)
class Checksum:
    """The hash that one request's content must have; `algorithm` is hashlib's name.

    `field` is the header that asks for it; None for that of tus, which has an own status as well.
    """

    algorithm: str
    digest: bytes
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """A request to begin an upload.

    `length` is the file's, in bytes, None if it is not known yet. `complete`: the content of this
    request ends the file. `escaped`: a backslash in `name` belongs to the name. `fields` are the
    parts that ChatKitty documents next to a file, and `metadata` is the client's metadata,
    unchanged. `checksum` is that of this request's content.
    """

    length: int | None
    complete: bool
    name: str | None
    type: str | None
    has_content: bool
    escaped: bool = False
    fields: tuple[tuple[str, str], ...] = ()
    metadata: str | None = None
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class Append:
    """A request to continue an upload at `offset`, in bytes.

    `complete`: its content ends the file. `length` is the file's, if this request announces it.
    """

    offset: int
    complete: bool
    length: int | None
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of an upload, in bytes."""

    max_size: int


@dataclass(frozen=True, slots=True)
class Report:
    """The state of an upload, for its answers.

    `offset` is durable, and so is `complete`: no more bytes will come. `location` is the upload's
    absolute URL. Without progress, the upload expires `expires_in` seconds after `at`.
    """

    offset: int
    length: int | None
    complete: bool
    location: str
    expires_in: float
    at: datetime
    limits: Limits
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer without content."""

    status: int
    headers: Mapping[str, str]


class Dialect(Protocol):
    """How one protocol's requests are read, and how they are answered."""

    @property
    def name(self) -> str:
        """The name by which a session remembers its dialect: `tus`, `draft-8`, `draft`."""

    def creation(self, head: HeadLike) -> Creation:
        """What a request to begin an upload asks for. Raises a ClientError."""

    def append(self, head: HeadLike) -> Append:
        """What a request to continue an upload asks for. Raises a ClientError."""

    def interim(self, report: Report) -> Mapping[str, str] | None:
        """The headers of the interim response to a creation; None if its client must get none."""

    def created(self, report: Report) -> Reply:
        """The answer to a creation, if more bytes follow."""

    def appended(self, report: Report) -> Reply:
        """The answer to an append, if more bytes follow; in tus, also to the last one."""

    def state(self, report: Report) -> Reply:
        """The answer to HEAD."""

    def cancelled(self) -> Reply:
        """The answer to DELETE."""

    def options(self, limits: Limits) -> Reply:
        """The answer to OPTIONS."""

    def marks(self, report: Report | None, limits: Limits | None = None) -> Mapping[str, str]:
        """The headers of every other answer, including problems.

        `report` is None if there is no upload (yet), `limits` are those that refused a request.
        """
