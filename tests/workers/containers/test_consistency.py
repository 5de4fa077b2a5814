"""Archives whose readers could disagree, and those that only look odd.

The cases are those by which PyPI refuses packages, and what phones and desktops really write.
"""

import struct
import zlib
from itertools import product

import pytest

from tests.flows.files import zip_of
from tests.workers.containers.archives import OPEN, Item, build, extra, unicode_path
from tests.workers.containers.reading import read
from workers.containers import MOST_ENTRIES, ZIP, is_bomb

A, B = b"a.txt", b"b.txt"
DATA = b"content"
CRC = zlib.crc32(DATA)
DESCRIPTOR = b"PK\x07\x08" + struct.pack("<III", CRC, len(DATA), len(DATA))
PLAIN = build([Item(A), Item(B)])
ITSELF = "größe.txt".encode()

SAME_TO_ALL = {
    "plain": PLAIN,
    "with a comment": build([Item(A)], comment=b"a comment"),
    "empty": build([]),
    "with a folder": build([Item(b"folder/", b""), Item(b"folder/a.txt")]),
    "64 bits": build([Item(A), Item(B)], zip64=True),
    "data descriptor": build([
        Item(A, flags=8, own_sizes=(0, 0, 0), descriptor=DESCRIPTOR),
        Item(B, flags=8, own_sizes=(0, 0, 0), descriptor=DESCRIPTOR[4:]),
    ]),
    "names of no known alphabet": build([Item(b"gr\x94\xe1e.txt"), Item(ITSELF)]),
    "name in Unicode besides": build([
        Item(b"gr\x94\xe1e.txt", extra=unicode_path(b"gr\x94\xe1e.txt", ITSELF),
             central_extra=unicode_path(b"gr\x94\xe1e.txt", ITSELF)),
    ]),
    "padded extra": build([Item(A, extra=extra(0xD935, b"\4\0") + b"\0\0")]),
    "64-bit sizes in an entry": build([
        Item(A, sizes=(OPEN, OPEN), own_sizes=(CRC, OPEN, OPEN),
             extra=extra(1, struct.pack("<QQ", 7, 7)),
             central_extra=extra(1, struct.pack("<QQ", 7, 7))),
    ]),
    "archive in the archive": build([Item(b"inner.zip", zip_of("x")), Item(A)]),
    "unpacked size that is too short": build([Item(A, sizes=(7, 3), own_sizes=(CRC, 7, 3))]),
    "each size by itself left to the descriptor": build([
        Item(b"%d.txt" % n, flags=8, own_sizes=sizes, descriptor=DESCRIPTOR)
        for n, sizes in enumerate(product((0, CRC), (0, 7), (0, 7)))
    ]),
    "64 bits, all left to the longer record": build([Item(A)], zip64=True, open_fields=(True,) * 4),
    "64 bits, nothing left to the longer record": build(
        [Item(A)], zip64=True, open_fields=(False,) * 4
    ),
    "64 bits, the offset alone": build(
        [Item(A)], zip64=True, open_fields=(False, False, False, True)
    ),
    "entries with comments": build([Item(A, comment=b"x"), Item(B, comment=b"PK\5\6" * 9)]),
    "zeros behind it": PLAIN + bytes(10_000),
    "a line end behind it": PLAIN + b"\r\n",
    "encrypted, with its time for a checksum": build([
        Item(A, flags=9, own_sizes=(0xB1AA0000, 0, 7), descriptor=DESCRIPTOR),
    ]),
    "directory in another order": zip_of("b", "a", "c"),
}  # fmt: skip

DIFFERENT = {
    "prefix": b"prefix" + PLAIN,
    "suffix": PLAIN + b"suffix",
    "two archives": PLAIN + build([Item(A)]),
    "two directories": PLAIN + PLAIN[PLAIN.index(b"PK\x01\x02") :],
    "archive in the comment": build([Item(A)], comment=PLAIN),
    "second end in the comment": build([Item(A)], comment=PLAIN[-22:]),
    "end that is cut off": PLAIN[:-4],
    "no end": PLAIN[: PLAIN.index(b"PK\x05\x06")],
    "several disks": build([Item(A)], disk=1),
    "several disks in 64 bits": build([Item(A)], zip64=True, disk=1),
    "disks left to nobody": build([Item(A)], disk=0xFFFF),
    "entry on another disk": build([Item(A, disk=1)]),
    "64 bits, another size": build([Item(A)], zip64=True, open_fields=(True,) * 4).replace(
        b"\xff\xff\xff\xff", b"\xff\xff\xff\0", 1
    ),
    "a size that is neither open nor true": build([
        Item(A, flags=8, own_sizes=(0, 0, 6), descriptor=DESCRIPTOR), Item(B),
    ]),
    "sizes that nothing follows for": build([Item(A, own_sizes=(0, 0, 0)), Item(B)]),
    "zeros and an archive behind it": PLAIN + bytes(100) + PLAIN,
    "zeros before it": bytes(100) + PLAIN,
    "zeros and a byte behind it": PLAIN + bytes(100) + b"x",
    "extra entry in the directory": build([Item(A), Item(B, local=False)]),
    "entry that is missing in the directory": build([Item(A), Item(B, central=False)]),
    "entry that is missing at the front": build([Item(A, central=False), Item(B)]),
    "more entries than counted": build([Item(A), Item(B)], count=1),
    "fewer entries than counted": build([Item(A), Item(B)], count=3),
    "no header of its own": build([Item(A), Item(B, offset=3)]),
    "other name": build([Item(A, central_name=b"c.txt"), Item(B)]),
    "longer name": build([Item(A, central_name=b"longer.txt"), Item(B)]),
    "same name twice": build([Item(A), Item(A)]),
    "name with a zero": build([Item(b"a.exe\0.txt"), Item(B)]),
    "no name": build([Item(b""), Item(B)]),
    "other size": build([Item(A, own_sizes=(CRC, 6, 7)), Item(B)]),
    "other checksum": build([Item(A, own_sizes=(1, 7, 7)), Item(B)]),
    "gap between entries": build([Item(A, descriptor=b"hidden bytes!"), Item(B)]),
    "gap before the directory": build([Item(A)], gap=b"hidden"),
    "entries that overlap": build([Item(A, sizes=(60, 60)), Item(B)]),
    "entries that share their content": build([Item(A), Item(A, local=False, offset=0)]),
    "short extra": build([Item(A, extra=b"\1\2\3"), Item(B)]),
    "extra beyond its end": build([Item(A, central_extra=struct.pack("<HH", 9, 99)), Item(B)]),
    "64-bit field twice": build([
        Item(A, sizes=(OPEN, OPEN), central_extra=2 * extra(1, struct.pack("<QQ", 7, 7))),
    ]),
    "64-bit field that is too short": build([
        Item(A, sizes=(OPEN, OPEN), central_extra=extra(1, struct.pack("<Q", 7))),
    ]),
    "64-bit field that is missing": build([Item(A, sizes=(OPEN, OPEN))]),
    "64-bit field that contradicts": build([
        Item(A, central_extra=extra(1, struct.pack("<QQ", 8, 8))),
    ]),
    "strongly encrypted, but not encrypted": build([Item(A, flags=64), Item(B)]),
    "header masked without an encrypted directory": build([Item(A, flags=1 << 13), Item(B)]),
    "other name in Unicode": build([Item(A, central_extra=unicode_path(A, b"a.exe"))]),
    "two names in Unicode": build([
        Item(ITSELF, central_extra=2 * unicode_path(ITSELF, ITSELF)),
    ]),
    "64-bit record without its locator": build([Item(A)], zip64=True, locator=False),
    "64-bit record beside its locator": build([Item(A)], zip64=True, locator_shift=1),
    "64-bit record behind its locator": build([Item(A)], zip64=True, locator_shift=90),
}  # fmt: skip


@pytest.mark.parametrize("data", SAME_TO_ALL.values(), ids=SAME_TO_ALL)
def test_what_all_readers_see_alike_may_pass(data: bytes) -> None:
    found, asked = read(data)
    assert found is not None
    assert (found.content_type, found.ambiguous, found.bomb) == (ZIP, False, False)
    assert len(asked) == 1


@pytest.mark.parametrize("data", DIFFERENT.values(), ids=DIFFERENT)
def test_an_archive_is_ambiguous_if_readers_could_disagree(data: bytes) -> None:
    found, _ = read(data)
    # What does not even begin as an archive is not taken for one.
    assert found is None or found.ambiguous
    assert found is not None or not data.startswith(b"PK")


def test_what_any_view_shows_is_tested() -> None:
    hidden = b"AndroidManifest.xml"
    for item in (
        Item(hidden, central_name=b"a" * len(hidden)),
        Item(b"a" * len(hidden), central_name=hidden),
        Item(hidden, central=False),
        Item(A, central_extra=unicode_path(A, hidden)),
    ):
        found, _ = read(build([item, Item(B)]))
        assert found is not None
        assert found.ambiguous
        apk = "application/vnd.android.package-archive"
        assert apk in {found.content_type, *found.others}


def test_of_a_large_archive_a_few_stretches_are_read() -> None:
    items = [Item(b"%d.bin" % n, bytes(300_000)) for n in range(6)]
    found, asked = read(build(items))
    assert found is not None
    assert not found.ambiguous
    assert len(asked) <= 2 + 1 + 6
    assert sum(asked) < 300_000


@pytest.mark.parametrize("at", [0, 3, 9])
def test_a_large_archive_is_held_against_its_entries_too(at: int) -> None:
    items = [Item(b"%d.bin" % n, bytes(100_000)) for n in range(10)]
    items[at].central_name = b"x.bin"
    found, _ = read(build(items))
    assert found is not None
    assert found.ambiguous


@pytest.mark.parametrize(
    ("sizes", "bomb"),
    [((7, 2**30), False), ((7, 2**30 + 8), True), ((7, 2**31), True)],
)
def test_a_bomb_is_recognised_by_its_declared_sizes(sizes: tuple[int, int], bomb: bool) -> None:
    found, _ = read(build([Item(A, sizes=sizes, own_sizes=(CRC, *sizes))]))
    assert found is not None
    assert (found.bomb, found.ambiguous) == (bomb, False)


def test_an_archive_of_very_many_entries_is_a_bomb() -> None:
    found, _ = read(build([Item(b"%d" % n, b"") for n in range(MOST_ENTRIES + 1)]))
    assert found is not None
    assert found.bomb


def test_a_large_file_that_hardly_packs_is_none() -> None:
    assert not is_bomb(50 * 2**30, 2**30)
    assert is_bomb(2**40, 2**30)
