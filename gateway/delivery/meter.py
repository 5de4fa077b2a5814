"""Counts, hashes and keeps the first bytes of one file part. No I/O."""

import hashlib

import google_crc32c

from gateway.multipart import PartData
from gateway.uploads.names import safe_name
from gateway.uploads.record import File


class FileMeter:
    """Sees a file's bytes go by, in order and once."""

    def __init__(self, *, crc32c: bool, sha256: bool, head_bytes: int = 0) -> None:
        """Take the digests that are asked for, and keep the first `head_bytes`."""
        self.size = 0
        self._crc32c: int | None = 0 if crc32c else None
        self._sha256 = hashlib.sha256() if sha256 else None
        self._head = b""
        self._head_bytes = head_bytes

    def update(self, data: PartData) -> None:
        """Take the next bytes of the file; they are not kept beyond the head."""
        self.size += data.end - data.start
        if self._crc32c is not None:
            self._crc32c = google_crc32c.extend(self._crc32c, data.data)
        if self._sha256 is not None:
            self._sha256.update(memoryview(data.chunk)[data.start : data.end])
        if missing := self._head_bytes - len(self._head):
            self._head += data.chunk[data.start : min(data.end, data.start + missing)]

    def describe(self, original_name: str | None, declared_type: str | None) -> File:
        """The file, by what was counted and what the client said of it."""
        return File(
            name=safe_name(original_name or ""),
            original_name=original_name,
            declared_type=declared_type,
            size=self.size,
            crc32c=self._crc32c,
            sha256=self._sha256.hexdigest() if self._sha256 is not None else None,
            head=self._head,
        )
