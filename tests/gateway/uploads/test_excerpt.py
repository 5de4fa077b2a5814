"""What is kept of a relayed file: the right bytes, however it was cut into chunks."""

import itertools
import struct
from collections.abc import Iterator

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.delivery.meter import FileMeter
from gateway.multipart import PartBegin, PartData
from gateway.uploads.excerpt import (
    COMPOUND,
    HEAD_BYTES,
    MOST_STRETCHES,
    NEVER,
    PICKED_BYTES,
    TAIL_BYTES,
    Picker,
    Piece,
    Walk,
    merged,
    picker_of,
)

PATTERN = b"".join(struct.pack(">I", n) for n in range(20_000))
CUTS = st.lists(st.integers(1, 30_000) | st.integers(1, 20), max_size=12).map(
    lambda cuts: [*cuts, 1000]
)


def chunks_of(data: bytes, cuts: list[int]) -> Iterator[PartData]:
    """The file in chunks of these sizes, over and over, each within a longer read."""
    at = turn = 0
    while at < len(data):
        part = data[at : at + cuts[turn % len(cuts)]]
        yield PartData(b"--" + part + b"--", 2, 2 + len(part))
        at += len(part)
        turn += 1


def kept_of(data: bytes, cuts: list[int]) -> list[Piece]:
    """All that is kept, in as few pieces as there are gaps."""
    meter = FileMeter(crc32c=False, sha256=False, excerpt=True)
    for chunk in chunks_of(data, cuts):
        meter.update(chunk)
    pieces = meter.pieces()
    return list(merged([Piece(0, meter.describe(PartBegin(None, None, None)).head), *pieces]))


def box(kind: bytes, content: bytes, *, wide: bool = False) -> bytes:
    if wide:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content), kind) + content


def known(pieces: list[Piece], start: int, length: int) -> bytes:
    for piece in pieces:
        if piece.start <= start < piece.end:
            return piece.data[start - piece.start :][:length]
    return b""


@given(st.integers(0, len(PATTERN)), CUTS)
def test_an_archive_is_kept_by_its_head_and_its_last_bytes(size: int, cuts: list[int]) -> None:
    data = (b"PK\x03\x04" + PATTERN)[:size]
    pieces = kept_of(data, cuts)
    assert all(data[piece.start : piece.end] == piece.data for piece in pieces)
    assert pieces[0].data.startswith(data[: 2 * HEAD_BYTES])
    if size > 3:
        assert (pieces[-1].end, pieces[-1].data[-TAIL_BYTES:]) == (size, data[-TAIL_BYTES:])
    assert sum(len(piece.data) for piece in pieces) <= min(size, 2 * HEAD_BYTES + TAIL_BYTES)


@given(st.integers(0, len(PATTERN)), CUTS)
def test_of_any_other_file_the_head_alone_is_kept(size: int, cuts: list[int]) -> None:
    data = (b"\xff\xd8\xff\xe0" + PATTERN)[:size]
    assert kept_of(data, cuts) == [Piece(0, data[:HEAD_BYTES])]


@given(st.integers(0, 60_000), CUTS, st.booleans())
def test_tracks_are_kept_wherever_they_are(media: int, cuts: list[int], wide: bool) -> None:
    tracks = [
        box(b"trak", name + PATTERN[: 4 * n]) for n, name in enumerate((b"a", b"b" * 600, b"c"))
    ]
    before = box(b"ftyp", b"isom") + box(b"mdat", PATTERN[:media], wide=wide)
    data = before + box(b"moov", box(b"mvhd", bytes(100)) + b"".join(tracks)) + box(b"free", b"")
    pieces = kept_of(data, cuts)
    for track in tracks:
        assert known(pieces, data.index(track), 512).startswith(track[:512])
    assert known(pieces, len(before), 16) == data[len(before) :][:16]
    assert sum(len(piece.data) for piece in pieces) < HEAD_BYTES + 2000


@given(st.integers(0, 100), CUTS, st.integers(0, 5000))
def test_a_compound_file_is_kept_with_its_directory(
    sector: int, cuts: list[int], behind: int
) -> None:
    header = bytearray(COMPOUND.ljust(512, b"\0"))
    struct.pack_into("<H", header, 30, 9)
    struct.pack_into("<I", header, 48, sector)
    start = (sector + 1) * 512
    data = (bytes(header) + PATTERN)[: start + behind]
    pieces = kept_of(data, cuts)
    assert known(pieces, start, 4096) == data[start : start + 4096]


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 2000)), max_size=20), CUTS)
@example(steps=[(HEAD_BYTES - 1750, 1751), *[(0, 1751)] * 10], cuts=[1000])  # all but a byte: head
def test_a_walk_is_sent_what_it_asks_for(steps: list[tuple[int, int]], cuts: list[int]) -> None:
    data, sent, head = PATTERN[:40_000], [], PATTERN[:HEAD_BYTES]

    def walk() -> Walk:
        at = 0
        for gap, length in steps:
            at += gap  # behind the beginning of the last stretch, and perhaps before its end
            sent.append((at, (yield at, length)))

    picker = Picker(walk(), head)
    at = 0
    for chunk in chunks_of(data, cuts):
        passing = memoryview(chunk.chunk)[chunk.start : chunk.end]
        # As a meter does, which has the head by then.
        if at + len(passing) > max(HEAD_BYTES - 1, picker.start):
            picker.see(at, passing)
        at += len(passing)
    pieces = picker.finish()
    assert all(found == data[start : start + len(found)] and found for start, found in sent)
    assert all(data[piece.start : piece.end] == piece.data for piece in pieces)
    assert sum(len(piece.data) for piece in pieces) <= PICKED_BYTES


@given(st.binary(max_size=2 * HEAD_BYTES), st.binary(max_size=300), CUTS)
def test_whatever_a_file_says_the_walk_ends(head: bytes, more: bytes, cuts: list[int]) -> None:
    for begin in (b"\0\0\0\x08moov", b"\0\0\0\1mdat", COMPOUND, b"ID3\4\0\0", b"\0\0\0\0ftyp"):
        pieces = kept_of(begin + head + more, cuts)
        assert len(pieces) <= MOST_STRETCHES + 2


def test_boxes_without_end_are_left_alone() -> None:
    picker = picker_of(b"\0\0\0\x08free" * (HEAD_BYTES // 8))
    assert picker is not None
    assert picker.start == NEVER


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 50)), max_size=8))
def test_pieces_are_merged_without_a_change(spans: list[tuple[int, int]]) -> None:
    data = PATTERN[:200]
    pieces = [Piece(start, data[start : start + length]) for start, length in spans]
    found = list(merged(pieces))
    covered = {at for piece in pieces for at in range(piece.start, piece.end)}
    assert {at for piece in found for at in range(piece.start, piece.end)} == covered
    assert all(data[piece.start : piece.end] == piece.data for piece in found)
    assert all(one.end < two.start for one, two in itertools.pairwise(found))
