"""What the dialects of resumable uploads have in common. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from multidict import CIMultiDictProxy


class Door(Enum):
    """Where uploads begin; each speaks its own dialects."""

    RAW = auto()
    """The body is the file: the draft, or a plain POST or PUT."""
    TUS = auto()


class HeadLike(Protocol):
    """What is read of a request's head."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """All fields."""

    @property
    def content_length(self) -> int | None:
        """In bytes; None if the body is chunked, or if there is none."""

    @property
    def has_body(self) -> bool:
        """Whether there is a body."""


def content_size(head: HeadLike) -> int | None:
    """The bytes of the content, None if the request does not say how many."""
    return head.content_length if head.has_body else 0


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the content of one request must hash to; `algorithm` is a name that hashlib knows."""

    algorithm: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Creation:
    """A request to begin an upload.

    `length` is the file's, in bytes, None if it is not known yet. `complete`: the content of this
    request ends the file. `escaped`: a backslash in `name` belongs to it, and is no path's.
    `fields` are the parts that ChatKitty documents next to a file, and `metadata` is all of what
    the client said, as it said it. `checksum` is that of this request's content.
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
    """A request to go on with an upload at `offset`, in bytes.

    `complete`: its content ends the file. `length` is the file's, if this request says it.
    """

    offset: int
    complete: bool
    length: int | None
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What an upload may have at most, in bytes."""

    max_size: int


@dataclass(frozen=True, slots=True)
class Report:
    """What the answers of an upload say about it.

    `offset` is what is durable, and `complete` whether it is durable that nothing more will come.
    `location` is its absolute URL; without progress, it expires `expires_in` seconds after `at`.
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
        """By which a session remembers what it was created in: `tus`, `draft-8`, `draft`."""

    def creation(self, head: HeadLike) -> Creation:
        """What a request to begin an upload says. Raises a ClientError."""

    def append(self, head: HeadLike) -> Append:
        """What a request to go on with an upload says. Raises a ClientError."""

    def interim(self, report: Report) -> Mapping[str, str] | None:
        """The fields of the interim response to a creation; None if its client must get none."""

    def created(self, report: Report) -> Reply:
        """The answer to a creation, after which more is to come."""

    def appended(self, report: Report) -> Reply:
        """The answer to an append, after which more is to come; in tus, to the last one as well."""

    def state(self, report: Report) -> Reply:
        """The answer to HEAD."""

    def cancelled(self) -> Reply:
        """The answer to DELETE."""

    def options(self, limits: Limits) -> Reply:
        """The answer to OPTIONS."""

    def marks(self, report: Report | None, limits: Limits | None = None) -> Mapping[str, str]:
        """What every other answer has to say: final ones, and problems.

        `report` is None if there is no upload (yet), `limits` are those that refused a request.
        """
