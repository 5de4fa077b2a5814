"""The parts of a relayed file that are kept for its audit, in addition to its first bytes. Pure.

Some formats are identified by other parts: a compound file by its directory, an MP4 by its `moov`,
a ZIP by its end. A walk asks for such stretches, and a picker takes them from the file as it
passes, once and in order.
"""

import struct
from collections.abc import Generator, Iterable, Iterator
from typing import Final, TypeAlias

import msgspec
import stringzilla

HEAD_BYTES: Final = 4096
"""The first bytes, of any file: enough for libmagic's strongest tests."""

TAIL_BYTES: Final = 8192
"""The last bytes, if they are of use: directories of most archives fit."""

PICKED_BYTES: Final = 12 * 1024
"""All stretches of one file that a walk asks for."""

MOST_STRETCHES: Final = 100

COMPOUND: Final = bytes.fromhex("d0cf11e0a1b11ae1")
_COMPOUND_HEADER: Final = 512
_COMPOUND_BYTES: Final = 4096

_MORE_HEAD: Final = 4096
_LONG_HEADS: Final = (
    b"PK\x03\x04",  # names of entries, and an Office document's list of types
    b"\x1a\x45\xdf\xa3",  # Matroska: tracks behind an index
)
"""The first bytes of formats that often have a head longer than HEAD_BYTES."""

_ASF: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_HEADER: Final = 30
_ASF_OBJECT: Final = 24
_ASF_STREAM: Final = _ASF_OBJECT + 54

_MZ: Final = b"MZ"
_NEW_HEADER: Final = slice(0x3C, 0x40)
NEW_HEADER_BYTES: Final = 64
"""The identifying bytes of the header that a Windows program has after the one for DOS."""

_ID3: Final = b"ID3"
_ID3_HEADER: Final = 10
_BEHIND_ID3: Final = 1024

_FIRST_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_BOX_HEADER: Final = 16
_TRACK_BYTES: Final = 512
"""The beginning of a track: its handler precedes the long table of its samples."""

_TAIL_HEADS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b")
_ARCHIVE_END: Final = b"PK\x05\x06"
_PHAR: Final = b"__HALT_COMPILER"
_DISK_IMAGE: Final = b"koly"
_DISK_IMAGE_SIZE: Final = 512

_WALKED: Final = frozenset(each[:2] for each in (COMPOUND, *_LONG_HEADS, _ASF, _ID3, _MZ))
"""How the files begin that are walked, but for those that begin with a box."""

NEVER: Final = 2**63

Walk: TypeAlias = Generator[tuple[int, int], bytes, None]
"""Yields start and length of each stretch that it wants, in order, and is sent complete ones."""


class Piece(msgspec.Struct, frozen=True):
    """Bytes of a file, from `start`."""

    start: int
    data: bytes

    @property
    def end(self) -> int:
        """The byte after the last one."""
        return self.start + len(self.data)


class Picker:
    """Takes the stretches that a walk asks for from a file as it passes.

    `start` is the next byte that it needs; earlier bytes need not be shown to it.
    """

    def __init__(self, walk: Walk, head: bytes) -> None:
        """Begin after `head`, which was seen already; nothing within it is picked."""
        self.start = 0
        self._walk = walk
        self._head = Piece(0, head)
        self._last = self._head
        self._pieces: list[Piece] = []
        self._wanted = 0, 0
        self._got = bytearray()
        self._room = PICKED_BYTES
        self._stretches = 0
        self._ask(next(walk, None))

    def see(self, at: int, data: memoryview) -> None:
        """Observe bytes of the file, from its byte `at`; from `start` on none may be left out."""
        end = at + len(data)
        while self.start < end:
            missing = sum(self._wanted) - self.start
            self._got += data[self.start - at :][:missing]
            self.start = self._wanted[0] + len(self._got)
            if self.start < sum(self._wanted):
                return
            self._ask(self._answer())

    def finish(self) -> list[Piece]:
        """The picked stretches in order; the last one may be cut off by the end of the file."""
        if self._got:
            self._keep(Piece(self._wanted[0], bytes(self._got)))
        return self._pieces

    def _ask(self, wanted: tuple[int, int] | None) -> None:
        """Note the wanted stretch, and answer immediately if it is known."""
        while wanted is not None:
            start, length = wanted
            self._stretches += 1
            self._room -= max(0, start + length - max(start, self._head.end))
            if start < self._last.start or self._room < 0 or self._stretches > MOST_STRETCHES:
                break
            self._wanted = wanted
            known = self._last
            self._got = bytearray(known.data[start - known.start :][:length])
            self.start = start + len(self._got)
            if len(self._got) < length:
                return
            wanted = self._answer()
        self.start = NEVER

    def _answer(self) -> tuple[int, int] | None:
        """Give the walk the bytes that it asked for, and note which ones it wants next."""
        piece = Piece(self._wanted[0], bytes(self._got))
        self._got.clear()
        self._keep(piece)
        if piece.end > self._last.end:
            self._last = piece
        try:
            return self._walk.send(piece.data)
        except StopIteration:
            return None

    def _keep(self, piece: Piece) -> None:
        """Keep what is not in the head, which is kept anyway."""
        start = max(piece.start, self._head.end)
        if start < piece.end:
            self._pieces.append(Piece(start, piece.data[start - piece.start :]))


def picker_of(head: bytes) -> Picker | None:
    """A picker for a file with this head of HEAD_BYTES; None if the head is all that matters."""
    if head[:2] not in _WALKED and head[4:8] not in _FIRST_BOXES:  # nearly always true
        return None
    walk = _walk_of(head)
    return Picker(walk, head) if walk is not None else None


def _walk_of(head: bytes) -> Walk | None:
    if head[4:8] in _FIRST_BOXES:
        return _tracks()
    if head.startswith(_ASF):
        return _objects(int.from_bytes(head[16:24], "little"))
    stretch = _stretch_of(head)
    return _one(*stretch) if stretch is not None else None


def _stretch_of(head: bytes) -> tuple[int, int] | None:
    """A walk that wants only one stretch, by its start and length."""
    if (at := compound_directory(head)) is not None:
        return at, _COMPOUND_BYTES
    if head.startswith(_LONG_HEADS):
        return len(head), _MORE_HEAD
    if head.startswith(_ID3):
        return _ID3_HEADER + synchsafe(head[6:10]), _BEHIND_ID3
    if (at := new_header_at(head)) is not None:
        return at, NEW_HEADER_BYTES
    return None


def _one(start: int, length: int) -> Walk:
    yield start, length


def _tracks() -> Walk:
    """Headers of boxes, and the beginning of each track (ISO 14496-12 sections 4.2 and 8)."""
    at, end = 0, NEVER
    while at < end:
        header = yield at, _BOX_HEADER
        size, kind = struct.unpack_from(">I4s", header)
        if size == 1:
            (size,) = struct.unpack_from(">Q", header, 8)
        if size < 8:
            return  # to the end of the file, or not at all
        if kind == b"moov":
            at, end = at + 8, at + size
            continue
        if kind == b"trak" and size > _BOX_HEADER:
            yield at + _BOX_HEADER, min(size, _TRACK_BYTES) - _BOX_HEADER
        at += size


def _objects(end: int) -> Walk:
    """The beginning of each object in a header of ASF (its specification, sections 2.1 and 3.1)."""
    at = _ASF_HEADER
    while at < end:
        header = yield at, _ASF_STREAM
        size = int.from_bytes(header[16:24], "little")
        if size < _ASF_OBJECT:
            return
        at += size


def synchsafe(data: bytes) -> int:
    """Four bytes of seven bits each (ID3v2.4.0 section 6.2)."""
    return sum((byte & 0x7F) << shift for byte, shift in zip(data, (21, 14, 7, 0), strict=True))


def compound_directory(head: bytes) -> int | None:
    """The offset of a compound file's directory ([MS-CFB] section 2.2); None for other files."""
    if not head.startswith(COMPOUND) or len(head) < _COMPOUND_HEADER:
        return None
    (shift,) = struct.unpack_from("<H", head, 30)
    (first,) = struct.unpack_from("<I", head, 48)
    # Sectors have 512 or 4096 bytes; the first one follows the header, which fills one.
    return int(first + 1 << shift) if shift in (9, 12) else None


def new_header_at(head: bytes) -> int | None:
    """The offset of a Windows program's own header, after that for DOS; None for other files."""
    if not head.startswith(_MZ) or len(head) < _NEW_HEADER.stop:
        return None
    return int.from_bytes(head[_NEW_HEADER], "little")


def tells_by_tail(head: bytes, tail: bytes) -> bool:
    """Whether the last bytes of the file may help to identify it."""
    if head.startswith(_TAIL_HEADS) or tail.startswith(_DISK_IMAGE, -_DISK_IMAGE_SIZE):
        return True
    # StringZilla is ten times as fast as `in`, which would be most of an excerpt's cost.
    found: bool = stringzilla.find(tail, _ARCHIVE_END) >= 0 or stringzilla.find(tail, _PHAR) >= 0
    return found


def merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same bytes in order, with adjacent stretches joined."""
    last: Piece | None = None
    for piece in sorted(pieces, key=lambda piece: piece.start):
        if last is None:
            last = piece
        elif piece.start <= last.end:
            last = Piece(last.start, last.data + piece.data[last.end - piece.start :])
        else:
            yield last
            last = piece
    if last is not None:
        yield last
