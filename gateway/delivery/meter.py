"""Counts and hashes one file part, and keeps the bytes that show its type. No I/O."""

import hashlib
from typing import Final

import google_crc32c

from gateway.multipart import PartBegin, PartData
from gateway.uploads.excerpt import (
    HEAD_BYTES,
    TAIL_BYTES,
    Picker,
    Piece,
    picker_of,
    tells_by_tail,
)
from gateway.uploads.names import safe_name
from gateway.uploads.record import File

MAX_DISPOSITION: Final = 4096
"""Longer than any header with a name that a file system accepts, even if it is in there twice."""


class FileMeter:
    """Receives a file's bytes, in order and once."""

    def __init__(self, *, crc32c: bool, sha256: bool, excerpt: bool = False) -> None:
        """Compute the requested digests; with `excerpt`, keep what shows the file's type."""
        self.size = 0
        self._crc32c: int | None = 0 if crc32c else None
        self._sha256 = hashlib.sha256() if sha256 else None
        self._excerpt = excerpt
        self._head = b""
        self._tail = b""
        """The last bytes after the head, at most TAIL_BYTES."""
        self._picker: Picker | None = None

    def update(self, data: PartData) -> None:
        """Process the next bytes of the file; only the excerpt is kept."""
        chunk, start, end = data.chunk, data.start, data.end
        before = self.size
        self.size = before + end - start
        if self._crc32c is not None:
            self._crc32c = google_crc32c.extend(self._crc32c, data.data)
        if self._sha256 is not None:
            self._sha256.update(memoryview(chunk)[start:end])
        if not self._excerpt:
            return
        # Inlined, without a call for each chunk: this is the hot path.
        behind = start
        if before < HEAD_BYTES:
            behind += HEAD_BYTES - before
            if end < behind:
                self._head += chunk[start:end]
                return
            self._head += chunk[start:behind]
            self._picker = picker_of(self._head)
        if end - behind >= TAIL_BYTES:
            self._tail = chunk[end - TAIL_BYTES : end]
        else:
            self._tail = (self._tail + chunk[behind:end])[-TAIL_BYTES:]
        if self._picker is not None and self._picker.start < self.size:
            self._picker.see(before, memoryview(chunk)[start:end])

    def skip(self, size: int) -> None:
        """Count the file's first bytes, which do not come: no digest of it can be computed."""
        self.size += size
        self._crc32c = self._sha256 = None

    def describe(self, part: PartBegin, pieces: tuple[Piece, ...] = ()) -> File:
        """The file's record: what was counted, and what the client said about it."""
        return File(
            name=safe_name(part.filename or "", path=not part.escaped),
            original_name=part.filename,
            disposition=part.written[:MAX_DISPOSITION] if self._excerpt else b"",
            declared_type=part.content_type,
            size=self.size,
            crc32c=self._crc32c,
            sha256=self._sha256.hexdigest() if self._sha256 is not None else None,
            head=self._head,
            pieces=pieces,
        )

    def pieces(self) -> tuple[Piece, ...]:
        """What is kept in addition to the first bytes, once the file is complete."""
        if self.size == len(self._head):
            return ()
        pieces = self._picker.finish() if self._picker is not None else []
        tail = self._tail
        if len(tail) < TAIL_BYTES:
            tail = (self._head + tail)[-TAIL_BYTES:]
        if tells_by_tail(self._head, tail):
            seen = pieces[-1].end if pieces else len(self._head)
            start = max(self.size - len(tail), seen)
            if start < self.size:
                pieces.append(Piece(start, tail[start - self.size :]))
        return tuple(pieces)
