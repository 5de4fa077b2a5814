"""Whether all readers of an archive see the same: from its front, its back, or its directory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.uploads.excerpt import Piece
from workers.containers.archive import END, Directory
from workers.containers.archive_types import (
    ZIP,
    leading_entries,
    names_of,
    reader_of,
    scene_type,
    tells,
    types_of,
)
from workers.containers.bombs import is_bomb
from workers.containers.contents import CONTENT_BYTES
from workers.containers.entries import (
    LOCAL,
    LOCAL_SIZE,
    ZipEntry,
    central_entries,
    last_entries,
    local_entry,
)

_HEADER_ROOM: Final = 4096
"""Bytes that are read for one header: name and extra are rarely longer than a few hundred."""

_NEARBY: Final = 128 * 1024
"""Headers so near each other are read by one request."""

MOST_READS: Final = 6
"""Maximum of reads for headers of one archive outside of its head and tail."""

_DESCRIPTORS: Final = (0, 12, 16, 20, 24)
"""Sizes of a data descriptor (4.3.9), which few readers ask for."""

_LONGEST_EXTRA: Final = 65_535

_SIGNING_BLOCK: Final = b"APK Sig Block 42"
_SIGNING_FOOTER: Final = 8 + len(_SIGNING_BLOCK)


@dataclass(frozen=True, slots=True)
class Container:
    """What a container is, and what else some reader could read it as.

    `ambiguous` if its readers could disagree on its content; `bomb` if it declares an absurd amount
    of content; `certain` is False if the part that distinguishes it from others of its family was
    not seen.
    """

    content_type: str
    ambiguous: bool = False
    others: frozenset[str] = frozenset()
    bomb: bool = False
    certain: bool = True


def classify(directory: Directory, data: bytes, head: bytes) -> Container:
    """What the archive is, by the bytes of its directory and the first bytes of the file."""
    return judge_views(directory, list(central_entries(data)), [Piece(0, head)])


def headers_to_read(
    directory: Directory, entries: Sequence[ZipEntry], pieces: Sequence[Piece]
) -> list[tuple[int, int]]:
    """Where to look, as starts and lengths, for headers of entries that no piece has.

    At most MOST_READS, each of at most a few hundred KiB: anything beyond is not examined. Headers
    of entries that identify the archive come first.
    """
    telling = [entry.offset + directory.shift for entry in entries if tells(entry.name)]
    spans: list[tuple[int, int]] = []
    for entry in sorted(entries, key=lambda entry: entry.offset):
        start = entry.offset + directory.shift
        content = min(entry.packed, CONTENT_BYTES) if tells(entry.name) else 0
        end = min(start + _HEADER_ROOM + content, directory.start)
        if start >= end or any(_holds(piece, start, end) for piece in pieces):
            continue
        if spans and end - spans[-1][0] <= _NEARBY:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    spans.sort(key=lambda span: not any(span[0] <= at < span[1] for at in telling))
    return [(start, end - start) for start, end in spans[:MOST_READS]]


def judge_views(
    directory: Directory, entries: Sequence[ZipEntry], pieces: Sequence[Piece]
) -> Container:
    """What the archive is by all views of it: its directory's entries, and headers in the pieces.

    The first piece is the file's head.
    """
    filled = sum(entry.length for entry in entries) == directory.size
    sound = filled and len(entries) == directory.entries and all(e.sound for e in entries)
    if len({entry.name for entry in entries}) != len(entries):
        sound = False
    locals_seen = _local_entries(directory, entries, pieces)
    sound = sound and _agree(directory, entries, locals_seen, pieces)
    front = [entry for entry in locals_seen.values() if entry]
    return replace(
        _told(directory, entries, front, pieces, sound=sound),
        ambiguous=not sound,
        bomb=is_bomb(sum(entry.unpacked for entry in entries), directory.start + directory.size),
    )


def judge_part(directory: Directory, pieces: Sequence[Piece]) -> Container:
    """What an archive is if the pieces have only the end of its directory, or none of it.

    Its consistency is not judged.
    """
    end = directory.start + directory.size
    known = next((piece for piece in pieces if piece.start < end <= piece.end), None)
    last = last_entries(known.data[: end - known.start]) if known is not None else []
    entries = [*leading_entries(pieces[0].data), *last]
    return _told(directory, entries, [], pieces, whole=False)


def _told(
    directory: Directory,
    entries: Sequence[ZipEntry],
    own: Sequence[ZipEntry],
    pieces: Sequence[Piece],
    *,
    sound: bool = True,
    whole: bool = True,
) -> Container:
    """What the archive is by its directory, and by its own headers: in its head, and `own`."""
    head = pieces[0].data
    strict = not sound or not head.startswith((LOCAL, END))
    front = [*leading_entries(head), *own]
    read = reader_of(front, [_moved(piece, directory) for piece in pieces])
    listed = types_of(names_of(entries), read, strict=strict, whole=whole)
    scene = scene_type(head)
    found = [*([scene] if scene else []), *listed.types]
    if strict:  # else the headers have no names but those of the directory
        found += types_of(names_of(front), read, strict=True).types
    main = found[0] if found else ZIP
    return Container(main, others=frozenset(found) - {main}, certain=listed.certain and whole)


def _moved(piece: Piece, directory: Directory) -> Piece:
    """The piece by the archive's own numbers."""
    return Piece(piece.start - directory.shift, piece.data)


def _local_entries(
    directory: Directory, entries: Sequence[ZipEntry], pieces: Sequence[Piece]
) -> dict[int, ZipEntry | None]:
    """By their offsets, the headers that are in the pieces; None if there is no header."""
    found: dict[int, ZipEntry | None] = {}
    for entry in entries:
        start = entry.offset + directory.shift
        for piece in pieces:
            if _holds(piece, start, min(start + _HEADER_ROOM, directory.start)):
                found[entry.offset] = local_entry(piece.data, start - piece.start, entry.offset)
                break
    return found


def _holds(piece: Piece, start: int, end: int) -> bool:
    return piece.start <= start < end <= piece.end


def _agree(
    directory: Directory,
    entries: Sequence[ZipEntry],
    seen: dict[int, ZipEntry | None],
    pieces: Sequence[Piece],
) -> bool:
    """Whether headers say what the directory says, and entries fill the archive without overlap."""
    at = 0
    slack: tuple[int, ...] = (0,)
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if not _is_gap(entry.offset - at, slack):
            return False
        at = entry.offset + LOCAL_SIZE + len(entry.name) + entry.packed
        if entry.offset not in seen:
            slack = ()
            continue
        own = seen[entry.offset]
        if own is None or not _same(entry, own):
            return False
        at += own.extra
        slack = _DESCRIPTORS if own.described_later else (0,)
    rest = directory.start - directory.shift - at
    return _is_gap(rest, slack) or _is_signature(rest, directory, pieces)


def _is_gap(size: int, allowed: tuple[int, ...]) -> bool:
    """Whether `size` bytes may follow an entry: its descriptor, and an extra of unknown size."""
    return size in allowed if allowed else 0 <= size <= _LONGEST_EXTRA + max(_DESCRIPTORS)


def _is_signature(size: int, directory: Directory, pieces: Sequence[Piece]) -> bool:
    """Whether what stands before the directory is an Android signature, which no reader unpacks."""
    end = directory.start
    for piece in pieces:
        if _holds(piece, end - _SIGNING_FOOTER, end):
            footer = piece.data[: end - piece.start][-_SIGNING_FOOTER:]
            return (
                footer.endswith(_SIGNING_BLOCK) and size == int.from_bytes(footer[:8], "little") + 8
            )
    return False


def _same(entry: ZipEntry, own: ZipEntry) -> bool:
    """Whether an entry's own header agrees with the directory."""
    if not own.sound or (entry.name, entry.method) != (own.name, own.method):
        return False
    if entry.encrypted != own.encrypted:
        return False
    if not own.described_later:
        return _sizes(own) == _sizes(entry)
    # Those that come behind the content may be left open, each by itself (4.4.4). Of an encrypted
    # entry Info-ZIP has its time instead of a checksum, by which passwords are tried (6.1.6).
    first = int(own.encrypted)
    sizes = zip(_sizes(own)[first:], _sizes(entry)[first:], strict=True)
    return all(said in (0, known) for said, known in sizes)


def _sizes(entry: ZipEntry) -> tuple[int, int, int]:
    return entry.crc, entry.packed, entry.unpacked
