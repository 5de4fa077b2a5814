"""Counts, hashes and keeps the first bytes of one file part. No I/O."""

import hashlib

import google_crc32c

from gateway.settings import Hash
from gateway.uploads.names import safe_name
from gateway.uploads.record import File

HEAD_BYTES = 4096
"""Enough for libmagic's strongest tests; a head is kept in each relayed upload's record."""


class FileMeter:
    """Sees a file's bytes go by, in order and once."""

    def __init__(self, hash_: Hash, *, keep_head: bool) -> None:
        """Take CRC32C unless `hash_` is off, SHA-256 where it asks for that."""
        self.size = 0
        self._crc32c: int | None = None if hash_ is Hash.OFF else 0
        self._sha256 = hashlib.sha256() if hash_ is Hash.SHA256 else None
        self._head = bytearray()
        self._head_wanted = HEAD_BYTES if keep_head else 0

    def update(self, view: memoryview) -> None:
        """Take the next bytes of the file; they are not kept beyond the head."""
        self.size += len(view)
        if self._crc32c is not None:
            self._crc32c = google_crc32c.extend(self._crc32c, view)
        if self._sha256 is not None:
            self._sha256.update(view)
        if missing := self._head_wanted - len(self._head):
            self._head += view[:missing]

    def describe(self, original_name: str | None, declared_type: str | None) -> File:
        """The file, by what was counted and what the client said of it."""
        return File(
            name=safe_name(original_name or ""),
            original_name=original_name,
            declared_type=declared_type,
            size=self.size,
            crc32c=self._crc32c,
            sha256=self._sha256.hexdigest() if self._sha256 is not None else None,
            head=bytes(self._head),
        )
