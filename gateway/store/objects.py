"""The border to the object store: what its callers need of it, and what they may rely on.

Ages are in seconds, by the store's own clock and to the second: the one clock that all who share
the bucket have in common, however wrong their own ones are.

Every method raises StoreUnavailable where the store cannot be asked, answers with an error of
its own, or takes too long; a write has an unknown outcome then. Keys are unique in one bucket and
ordered by their UTF-8 bytes. A CRC32C is an unsigned 32-bit integer.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final, NamedTuple, Protocol

LONGEST_NOTE: Final = 1_900
"""Characters: S3 takes 2 KB of metadata, their names among them."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as the store describes it: `size` in bytes, `age` since it was written.

    `etag` is opaque: it changes with the content and is good for conditional writes only.
    `crc32c` is the store's own, of the whole object; None where it has none, or in listings, which
    have no `note` either.
    """

    key: str
    size: int
    etag: str
    age: float
    crc32c: int | None = None
    note: str | None = None


class Written(NamedTuple):
    """An object as it was written; `at` is the store's time of its answer, in epoch seconds."""

    etag: str
    at: float


class Document(NamedTuple):
    """A small object that was read whole, and its age."""

    content: bytes
    etag: str
    age: float


@dataclass(frozen=True, slots=True)
class Multipart:
    """A multipart upload; `whole_checksum`: the store will check and keep that of the object."""

    key: str
    upload_id: str
    whole_checksum: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A part that the store has taken, numbered from 1."""

    number: int
    etag: str
    crc32c: int


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part as the store lists it: `size` in bytes, and its CRC32C if the store tells it."""

    number: int
    etag: str
    size: int
    crc32c: int | None


@dataclass(frozen=True, slots=True)
class UnfinishedMultipart:
    """A multipart upload that was neither completed nor aborted, and how long ago it began."""

    key: str
    upload_id: str
    age: float


class ObjectStore(Protocol):
    """One bucket."""

    async def ping(self) -> None:
        """Ask whether the bucket is there and may be used. Raises ObjectNotFound where not."""

    async def put(
        self,
        key: str,
        body: bytes | BytesIO,
        *,
        crc32c: int | None = None,
        note: str | None = None,
        if_none_match: bool = False,
        if_match: str | None = None,
    ) -> Written:
        """Write a whole object; a BytesIO is sent from its beginning.

        `note`: an ASCII text of at most LONGEST_NOTE that `head` tells, of writes without a
        condition only.

        `if_none_match`: only where the key has no object. `if_match`: only where its object has
        that ETag. Raises PreconditionFailed, and ChecksumMismatch where the bytes that arrived
        do not have the given CRC32C.
        """

    async def get(self, key: str) -> Document:
        """A document of at most 8 MiB. Raises ObjectNotFound, ObjectTooLarge."""

    async def read_range(self, key: str, start: int, length: int) -> bytes:
        """The bytes from `start`, `length` of them or as many as there are.

        Raises ObjectNotFound.
        """

    def stream(self, key: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to, but not with, `end`, in chunks.

        A caller that stops early closes the generator (`contextlib.aclosing`), which gives
        the connection back. Raises ObjectNotFound, at the first chunk.
        """

    async def head(self, key: str) -> ObjectInfo:
        """What the store knows of the object, its checksum included. Raises ObjectNotFound."""

    async def delete(self, key: str) -> None:
        """Delete the object; that there is none is no error."""

    async def delete_all(self, keys: Sequence[str]) -> None:
        """Delete the objects, by as few requests as the store allows."""

    def list(self, prefix: str, start_after: str | None = None) -> AsyncGenerator[ObjectInfo, None]:
        """The objects whose keys begin with `prefix`, in key order, from after `start_after`."""

    async def create_multipart(self, key: str) -> Multipart:
        """Begin an object that is sent in parts; it exists once it is completed."""

    async def upload_part(
        self, multipart: Multipart, number: int, body: BytesIO, crc32c: int
    ) -> Part:
        """Send part `number` from the body's beginning.

        Raises ChecksumMismatch, and ObjectNotFound where the upload has ended.
        """

    async def complete_multipart(
        self, multipart: Multipart, parts: Sequence[Part], *, size: int, crc32c: int
    ) -> str:
        """Make the object of its parts, given in order, and return its ETag.

        `size` and `crc32c` are the whole object's. Raises ChecksumMismatch, and ObjectNotFound
        where the upload has ended: aborted, or completed by a call whose answer was lost.
        """

    async def parts(self, multipart: Multipart) -> Sequence[StoredPart]:
        """The parts that the store has, in their order.

        Raises ObjectNotFound if the upload has ended.
        """

    async def abort_multipart(self, key: str, upload_id: str) -> None:
        """Give an upload and its parts up; that it has ended already is no error."""

    def list_multipart_uploads(self, prefix: str) -> AsyncGenerator[UnfinishedMultipart, None]:
        """The unfinished multipart uploads of keys that begin with `prefix`."""

    async def idle(self, upload: UnfinishedMultipart) -> float:
        """Seconds since the last part came in, or since the upload began where it has none.

        Raises ObjectNotFound where the upload has ended.
        """

    async def presigned_get(
        self, key: str, *, expires: int, content_type: str, content_disposition: str
    ) -> str:
        """A URL that anybody can GET the object by, for `expires` seconds (at most 7 days).

        The answer has the given headers, whatever the object was stored with. Whether the
        object exists is not looked at.
        """
