"""How a relayed file is identified by its kept pieces."""

import io
import random
import struct
import zipfile
from collections.abc import Sequence

import pytest

from gateway.uploads.excerpt import Piece
from gateway.uploads.policy import Accepted, Rejected, admits, judge
from gateway.uploads.record import Terms
from tests.flows import files
from tests.workers.keeping import kept_of, long_movie
from tests.workers.test_real_files import FILES, ROWS
from workers.sniff import Sniffer

pytestmark = pytest.mark.asyncio(loop_scope="module")

OOXML = "application/vnd.openxmlformats-officedocument."
LIST = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Types xmlns='
    '"http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="png"'
    ' ContentType="image/png"/><Override PartName="/word/media/a&amp;b.png"'
    ' ContentType="image/png"/></Types>'
)
OLD_OFFICE = {
    "document.doc": "application/msword",
    "table.xls": "application/vnd.ms-excel",
    "slides.ppt": "application/vnd.ms-powerpoint",
    "installer.msi": "application/x-msi",
}


def archive_of(names: Sequence[str]) -> bytes:
    """An archive whose entries do not pack."""
    output, noise = io.BytesIO(), random.Random(1)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, LIST if name == "[Content_Types].xml" else noise.randbytes(3000))
    return output.getvalue()


@pytest.mark.parametrize(("name", "kind", "becomes"), [(n, *row) for n, row in ROWS.items()])
async def test_a_relayed_file_is_what_a_hosted_one_is(
    sniffer: Sniffer, name: str, kind: str, becomes: str
) -> None:
    data = (FILES / name).read_bytes()
    sniffed = await sniffer.sniff_pieces(len(data), kept_of(data))
    assert admits(sniffed, kind)
    assert sniffed.content_type == kind or not sniffed.certain
    assert isinstance(judge(Terms(), sniffed, None), Rejected) == (becomes == "denied")


@pytest.mark.parametrize(("name", "kind"), OLD_OFFICE.items(), ids=OLD_OFFICE)
async def test_head_of_a_compound_file_alone_is_no_mismatch(
    sniffer: Sniffer, name: str, kind: str
) -> None:
    data = (FILES / name).read_bytes()
    # As records of earlier versions have it, of a file whose directory is behind that.
    sniffed = await sniffer.sniff_pieces(len(data), [Piece(0, data[:512])])
    assert admits(sniffed, kind)
    assert admits(sniffed, "application/msword")
    assert not admits(sniffed, "image/png")


LARGE = {
    "DOCX, its list at the front": (
        ["[Content_Types].xml", "_rels/.rels", *(f"word/media/{n}.png" for n in range(30))],
        OOXML + "wordprocessingml.document",
    ),
    "DOCX, its list at the end": (
        ["_rels/.rels", *(f"word/media/{n}.png" for n in range(30)), "[Content_Types].xml"],
        OOXML + "wordprocessingml.document",
    ),
    "XLSX of very many parts": (
        [
            "_rels/.rels",
            *(f"xl/worksheets/sheet{n}.xml" for n in range(400)),
            "[Content_Types].xml",
        ],
        OOXML + "spreadsheetml.sheet",
    ),
    "mere pictures": ([f"{n}.png" for n in range(40)], "application/zip"),
    "very many pictures": ([f"holidays/{n}.png" for n in range(400)], "application/zip"),
}


@pytest.mark.parametrize(("names", "kind"), LARGE.values(), ids=LARGE)
async def test_a_large_archive_is_recognised_by_its_ends(
    sniffer: Sniffer, names: list[str], kind: str
) -> None:
    data = archive_of(names)
    sniffed = await sniffer.sniff_pieces(len(data), kept_of(data))
    assert sniffed.content_type == kind
    assert isinstance(judge(Terms(), sniffed, None), Accepted)
    assert admits(sniffed, kind)
    # What nobody saw is not held against anybody: it may be a template, too.
    assert admits(sniffed, kind.replace(".document", ".template")) or sniffed.certain


async def test_an_installable_archive_is_denied_however_large(sniffer: Sniffer) -> None:
    for more in (30, 400):
        names = [f"res/{n}.png" for n in range(more)]
        data = archive_of([*names, "AndroidManifest.xml", "classes.dex", "resources.arsc"])
        for polyglot in (data, files.JPEG + bytes(70_000) + data):
            sniffed = await sniffer.sniff_pieces(len(polyglot), kept_of(polyglot))
            assert isinstance(judge(Terms(), sniffed, None), Rejected)


@pytest.mark.parametrize("at", [64, 4090, 4096, 20_000, 300_000])
async def test_a_windows_program_is_denied_wherever_its_header_lies(
    sniffer: Sniffer, at: int
) -> None:
    data = (b"MZ" + b"\xff" * 58 + struct.pack("<I", at)).ljust(at, b"\0") + b"PE\0\0" + bytes(400)
    sniffed = await sniffer.sniff_pieces(len(data), kept_of(data))
    assert isinstance(judge(Terms(), sniffed, None), Rejected)


async def test_a_film_is_told_from_sound_by_tracks_at_its_end(sniffer: Sniffer) -> None:
    for tracks, kind in (("video", "video/mp4"), ("audio", "audio/mp4"), ("both", "video/mp4")):
        data = long_movie(tracks)
        sniffed = await sniffer.sniff_pieces(len(data), kept_of(data))
        assert (sniffed.content_type, sniffed.certain) == (kind, True)
