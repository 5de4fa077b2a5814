"""The contract of the object store: what callers need, and what they may rely on.

Ages are in seconds, by the store's clock: the only one that all processes share, even if their own
clocks are wrong. It counts whole seconds.

Every method raises StoreUnavailable if the store cannot be reached, answers with an error of its
own, or takes too long; whether a write succeeded is then unknown. Keys are unique in a bucket, and
ordered by their UTF-8 bytes. A CRC32C is an unsigned 32-bit integer.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final, NamedTuple, Protocol

LONGEST_NOTE: Final = 1_900
"""In characters: S3 accepts 2 KB of metadata, including the names."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as the store describes it: `size` in bytes, `age` since it was written.

    `etag` is opaque: it changes with the content, and is useful for conditional writes only.
    `crc32c` is the store's own, of the whole object; None if the store has none. Listings have
    neither `crc32c` nor `note`.
    """

    key: str
    size: int
    etag: str
    age: float
    crc32c: int | None = None
    note: str | None = None


class Written(NamedTuple):
    """A completed write; `at` is the time of the store's answer, in epoch seconds."""

    etag: str
    at: float


class Document(NamedTuple):
    """A small object, read whole, and its age."""

    content: bytes
    etag: str
    age: float


@dataclass(frozen=True, slots=True)
class Multipart:
    """A multipart upload; `whole_checksum`: the store keeps a checksum of the whole object."""

    key: str
    upload_id: str
    whole_checksum: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A part that the store has accepted, numbered from 1."""

    number: int
    etag: str
    crc32c: int


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part as the store lists it: `size` in bytes, and its CRC32C if the store reports one."""

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
        """Check that the bucket may be used. Raises ObjectNotFound if it does not exist."""

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

        `note`: an ASCII text of at most LONGEST_NOTE characters, which `head` returns; only for
        writes without a condition.

        `if_none_match`: only if the key has no object. `if_match`: only if its object has that
        ETag. Raises PreconditionFailed, and ChecksumMismatch if the bytes that arrived do not have
        the given CRC32C.
        """

    async def get(self, key: str) -> Document:
        """A document of at most 8 MiB. Raises ObjectNotFound, ObjectTooLarge."""

    async def read_range(self, key: str, start: int, length: int) -> bytes:
        """The `length` bytes from `start`, or fewer if the object ends before.

        Raises ObjectNotFound.
        """

    def stream(self, key: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to, but not including, `end`, in chunks.

        A caller that stops early closes the generator (`contextlib.aclosing`), which gives the
        connection back. Raises ObjectNotFound, at the first chunk.
        """

    async def head(self, key: str) -> ObjectInfo:
        """What the store knows of the object, including its checksum. Raises ObjectNotFound."""

    async def delete(self, key: str) -> None:
        """Delete the object; a missing object is no error."""

    async def delete_all(self, keys: Sequence[str]) -> None:
        """Delete the objects, in as few requests as the store allows."""

    def list(self, prefix: str, start_after: str | None = None) -> AsyncGenerator[ObjectInfo, None]:
        """The objects below `prefix` with keys after `start_after`, in the order of keys."""

    async def create_multipart(self, key: str) -> Multipart:
        """Begin an object that is sent in parts; it exists once it is completed."""

    async def upload_part(
        self, multipart: Multipart, number: int, body: BytesIO, crc32c: int
    ) -> Part:
        """Send part `number` from the body's beginning.

        Raises ChecksumMismatch, and ObjectNotFound if the upload has ended.
        """

    async def complete_multipart(
        self, multipart: Multipart, parts: Sequence[Part], *, size: int, crc32c: int
    ) -> str:
        """Make the object from its parts, given in order, and return its ETag.

        `size` and `crc32c` are the whole object's. Raises ChecksumMismatch, and ObjectNotFound if
        the upload has ended: aborted, or completed by a call without an answer.
        """

    async def parts(self, multipart: Multipart) -> Sequence[StoredPart]:
        """The parts that the store has, in order.

        Raises ObjectNotFound if the upload has ended.
        """

    async def abort_multipart(self, key: str, upload_id: str) -> None:
        """End an upload and delete its parts; an upload that has already ended is no error."""

    def list_multipart_uploads(self, prefix: str) -> AsyncGenerator[UnfinishedMultipart, None]:
        """The unfinished multipart uploads of keys that begin with `prefix`."""

    async def idle(self, upload: UnfinishedMultipart) -> float:
        """Seconds since the last part arrived, or since the upload began if it has no parts.

        Raises ObjectNotFound if the upload has ended.
        """

    async def presigned_get(
        self, key: str, *, expires: int, content_type: str, content_disposition: str
    ) -> str:
        """A URL by which anybody can GET the object, for `expires` seconds (at most 7 days).

        The answer has the given headers, whatever the object was stored with. Does not check that
        the object exists.
        """
