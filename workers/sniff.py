"""Identifies a file by its content: its head, its tail, and the directory of a container."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from gateway.media_types import UNKNOWN_TYPE, canonical
from gateway.uploads.excerpt import COMPOUND, Piece, compound_directory, merged
from gateway.uploads.policy import UNSNIFFED, Sniffed
from workers import containers, media, signatures
from workers.containers import Container
from workers.libmagic.answers import counted
from workers.libmagic.process import Libmagic
from workers.media import Medium

HEAD_BYTES: Final = 16_384

WHOLE_BYTES: Final = 128 * 1024
"""A file of up to this size is read by one request: another costs more than the bytes."""

COMPOUND_BYTES: Final = 16 * 1024
"""Bytes read of a compound file's directory, if it is outside of the head and tail."""

ReadRange = Callable[[int, int], Awaitable[bytes]]
"""Reads bytes of the file: from an offset, a number of them."""

_EMPTY: Final = Sniffed("application/x-empty")

# libmagic's answers for what it does not know, or what other readers know better.
_GENERIC: Final = frozenset({UNKNOWN_TYPE, "text/plain", "text/csv", "application/zip"})
_GENERIC_COMPOUND: Final = frozenset(
    {"application/x-ole-storage", "application/cdfv2", "application/vnd.ms-office", UNKNOWN_TYPE}
)
_MARKUP: Final = frozenset(
    {"text/html", "image/svg+xml", "application/xhtml+xml", "application/xml"}
)
_MARKUP_LIKE: Final = ("text/", "image/svg", "application/xml")
_FONTS: Final = frozenset({"font/sfnt", "application/vnd.ms-opentype"})
_MEDIA: Final = ("audio/", "video/", "image/", "application/ogg", "application/vnd.rn-realmedia")
_HOLDERS: Final = frozenset(
    {"application/pdf", "application/x-tar", "application/x-cpio", "message/rfc822"}
)
"""Types that contain files unchanged: an archive inside, before the end, is such a file."""

_ZIP_HEADS: Final = (b"PK\x03\x04", b"PK\x05\x06")


class Sniffer:
    """Knows files by their bytes."""

    def __init__(self, libmagic: Libmagic) -> None:
        self._libmagic = libmagic

    @classmethod
    @asynccontextmanager
    async def open(cls, command: Sequence[str] = ()) -> "AsyncIterator[Sniffer]":
        """A sniffer with its libmagic, started by `command` if given.

        Raises ConfigurationError if libmagic does not recognise the most common files.
        """
        async with Libmagic.open(command) as libmagic:
            yield cls(libmagic)

    async def sniff(self, size: int, read_range: ReadRange, known: Iterable[Piece] = ()) -> Sniffed:
        """What a file of `size` bytes is. A small file is read whole, a larger one at both ends.

        Of an archive, its directory is read as well, and headers of entries outside of these; of a
        compound file, its directory; of sound and films, what describes their tracks. What is
        `known` of the file is not read again.
        """
        return await self._sniff(_File(size, read_range, known))

    async def sniff_pieces(self, size: int, pieces: Iterable[Piece]) -> Sniffed:
        """What a file of `size` bytes is, by the same rules, if only these pieces were kept.

        If no piece has what distinguishes it from others of its family, it is not `certain`.
        """
        return await self._sniff(_File(size, _nothing, pieces))

    async def _sniff(self, file: "_File") -> Sniffed:
        size = file.size
        if size == 0:
            return _EMPTY
        head = (await file.read(0, size if size <= WHOLE_BYTES else HEAD_BYTES))[:HEAD_BYTES]
        tail = await file.read_last(containers.TAIL_BYTES)
        by_head = await self._by_head(file, head, await _medium(file))
        container = await _container(file, head, tail)
        if container is None:
            return by_head.also(signatures.types_of_tail(head, tail))
        return _with_container(by_head, container, head, tail).also(
            signatures.types_of_tail(head, tail)
        )

    async def _by_head(self, file: "_File", head: bytes, medium: Medium | None) -> Sniffed:
        """The type by the first bytes."""
        if head.startswith(_ZIP_HEADS[0]):
            return Sniffed(containers.classify_head(head), certain=False)
        answer = await self._libmagic.type_of(head)
        at = signatures.far_header(head, file.size)
        far = b"" if at is None else await file.read(*at)
        signed = signatures.types_of_head(head, file.size, far)
        if answer is None:
            # The policy decides on files that could not be examined; signatures count too.
            return Sniffed(UNKNOWN_TYPE, frozenset({UNSNIFFED, *signed}))
        found = counted(canonical(answer), head, signed)
        if medium is not None:
            return _with_medium(found, signed, medium)
        return _weighed(found, signed)


def _weighed(found: str, signed: Sequence[str]) -> Sniffed:
    """Libmagic's answer and the signatures found; the more specific one comes first."""
    if not signed or found == signed[0]:
        return Sniffed(found, frozenset(signed) - {found})
    # libmagic distinguishes some programs that signatures do not, and vice versa.
    better = (
        found in _GENERIC
        or (signed[0] in _MARKUP and found.startswith(_MARKUP_LIKE))
        or (signed[0].startswith("font/") and found in _FONTS)
    )
    main = signed[0] if better else found
    return Sniffed(main, frozenset(signed) - {main})


def _with_medium(found: str, signed: Sequence[str], medium: Medium) -> Sniffed:
    """The type by the tracks, and other signatures in the first bytes.

    Libmagic's answer for media is a synonym, or less specific.
    """
    others = {*signed} if found in _GENERIC or found.startswith(_MEDIA) else {*signed, found}
    sniffed = Sniffed(medium.content_type, certain=medium.certain)
    return sniffed.also(others)


def _with_container(by_head: Sniffed, container: Container, head: bytes, tail: bytes) -> Sniffed:
    """Combine the types by the first bytes and by the directory; decide which is the file's."""
    compound = head.startswith(COMPOUND)
    generic = compound and by_head.content_type in _GENERIC_COMPOUND
    if generic or head.startswith(_ZIP_HEADS):
        found = Sniffed(
            container.content_type,
            by_head.alternatives,
            certain=container.certain,
            ambiguous=container.ambiguous,
            bomb=container.bomb,
        )
        inner = container.others if compound else container.others & {containers.MACROS}
        return found.holding(inner).also(container.others - inner)
    types = {container.content_type, *container.others}
    # The directory of a compound or gzip file is its own; an archive may stand in or behind it.
    own = compound or head.startswith(containers.GZIP)
    if own or (by_head.content_type in _HOLDERS and not containers.ends_there(tail)):
        return by_head.holding(types - {by_head.content_type}, bomb=container.bomb)
    return by_head.also(types, bomb=container.bomb)


class _File:
    """A file read by ranges; no byte is requested twice."""

    def __init__(self, size: int, read_range: ReadRange, pieces: Iterable[Piece] = ()) -> None:
        """A file of `size` bytes; its `pieces` are known."""
        self.size = size
        self.pieces = list(merged(pieces))
        self._read_range = read_range

    async def read(self, start: int, length: int) -> bytes:
        """The bytes from `start`: `length` of them, or as many as there are.

        Of a relayed file there are fewer, or none, if no more were kept.
        """
        length = max(0, min(length, self.size - start))
        known = self.known(start, length)
        if len(known) == length:
            return known
        data = await self._read_range(start, length)
        if data:
            self.pieces.append(Piece(start, data))
        return data or known

    def known(self, start: int, length: int) -> bytes:
        """Those of the bytes from `start` that were read."""
        found = (
            piece.data[start - piece.start : start - piece.start + length]
            for piece in self.pieces
            if piece.start <= start < piece.end
        )
        return max(found, key=len, default=b"")

    async def read_last(self, length: int) -> bytes:
        """The last bytes; of a relayed file fewer, or none, if no more were kept."""
        start = max(0, self.size - length)
        data = await self.read(start, self.size - start)
        if len(data) == self.size - start:
            return data
        return next((piece.data[-length:] for piece in self.pieces if piece.end == self.size), b"")


async def _nothing(start: int, length: int) -> bytes:
    """Reads a file of which no more bytes are available."""
    del start, length
    return b""


async def _medium(file: _File) -> Medium | None:
    """The type by the file's tracks: from what was read, and a few more ranges."""
    reading = media.read_medium(file.known(0, HEAD_BYTES), file.size)
    requests = 0
    try:
        span = next(reading)
        for _ in range(media.MOST_STEPS):
            data = file.known(*span)
            end = min(span.start + span.length, file.size)
            if span.start + len(data) < end and requests < media.MOST_REQUESTS:
                requests += 1
                data = await file.read(span.start, max(span.length, media.REQUEST_BYTES))
            span = reading.send(data[: span.length])
        while True:
            reading.send(b"")
    except StopIteration as answer:
        found: Medium | None = answer.value
        return found


async def _container(file: _File, head: bytes, tail: bytes) -> Container | None:
    """The container by its directory, independent of the first bytes."""
    if (at := compound_directory(head)) is not None:
        return containers.classify_compound(await file.read(at, COMPOUND_BYTES))
    if head.startswith(containers.GZIP):
        bomb = containers.is_gzip_bomb(head, tail, file.size)
        return Container("application/gzip", bomb=bomb)
    return await _archive(file, head, tail)


async def _archive(file: _File, head: bytes, tail: bytes) -> Container | None:
    """The ZIP archive that ends at the end of the file."""
    directory = containers.find_directory(tail, file.size)
    if directory is None:
        if not head.startswith(_ZIP_HEADS[0]) or len(tail) < min(file.size, containers.TAIL_BYTES):
            return None
        # A reader from the front finds entries, one from the back none.
        return Container(containers.classify_head(head), ambiguous=True)
    if not directory.is_readable:
        return Container(containers.classify_head(head), bomb=True)
    data = await file.read(directory.start, directory.size)
    if len(data) < directory.size:
        return containers.judge_part(directory, file.pieces)
    # In a thread: of the largest directories it takes a good part of a second.
    entries = await asyncio.to_thread(lambda: list(containers.central_entries(data)))
    wanted = containers.headers_to_read(directory, entries, file.pieces)
    await asyncio.gather(*(file.read(start, length) for start, length in wanted))
    found = await asyncio.to_thread(containers.judge_views, directory, entries, file.pieces)
    confused = found.ambiguous or containers.is_confused(tail, directory)
    return replace(found, ambiguous=confused)
