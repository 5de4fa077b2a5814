"""What files are by their content, on a real libmagic."""

import asyncio
import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from gateway.uploads.excerpt import Piece
from gateway.uploads.policy import EXECUTABLES, UNSNIFFED, Accepted, Rejected, judge
from gateway.uploads.record import Terms
from tests.flows import files
from tests.flows.files import zip_of
from tests.workers.keeping import kept_of
from tests.workers.sniffing import sniff
from workers.signatures import types_of_head
from workers.sniff import Sniffer

pytestmark = pytest.mark.asyncio(loop_scope="module")

OOXML = "application/vnd.openxmlformats-officedocument."

SLICE = struct.pack(">5I", 0x01000007, 3, 4096, 1000, 12)
FOREIGN_SLICE = struct.pack(">5I", 0x7FFFFFFF, 0, 4096, 1000, 12)

PROGRAMS = {
    "portable executable": files.EXE,
    "program for DOS": files.DOS,
    "ELF": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00\x01\x00\x00\x00" + bytes(40),
    "ELF cut short": b"\x7fELF\x02\x01",
    "Mach-O": bytes.fromhex("cffaedfe07000001030000000200000010000000") + bytes(40),
    "shell script": b"#!/bin/sh\necho x\n",
    "script of any interpreter": b"#!/opt/thing\nx\n",
    "batch file": b"@echo off\r\ndir\r\n",
    "PHP": b"<?php echo 1; ?>",
    "Java class": files.CLASS,
    "shortcut": bytes.fromhex("4c0000000114020000000000c000000000000046") + bytes(60),
    "installer": files.INSTALLER,
    "APK": files.APK,
    "JAR": zip_of("META-INF/MANIFEST.MF", "a/B.class"),
    "GIF and JAR": b"GIF89a\x01\x00\x01\x00" + zip_of("META-INF/MANIFEST.MF"),
    "PDF and APK": files.PDF + files.APK,
    "JAR behind a megabyte": files.JPEG + bytes(1_000_000) + zip_of("META-INF/MANIFEST.MF"),
    "JPEG and PHAR": files.JPEG + files.PHAR,
    "PHAR at the end": files.PNG + bytes(200_000) + files.PHAR,
    "PHP in a picture": files.PNG + b"<?php system($_GET[0]);",
    "script behind a mark": b"\xef\xbb\xbf#!/bin/sh\nx\n",
    "batch file in UTF-16": "\ufeff@ECHO OFF\r\ndel *\r\n".encode("utf-16-le"),
    "universal Mach-O": files.UNIVERSAL,
    "Android code": files.DEX,
    "WebAssembly": b"\0asm\1\0\0\0",
    "Chrome extension": b"Cr24\3\0\0\0" + bytes(8) + zip_of("manifest.json"),
    "Firefox extension": zip_of("manifest.json", "META-INF/mozilla.rsa"),
    "Windows package": zip_of("AppxManifest.xml", "a.exe"),
    "iPhone application": zip_of("Payload/A.app/Info.plist", "Payload/A.app/A"),
    "classes without a manifest": zip_of("a/B.class"),
    "disk image": bytes(2000) + files.KOLY,
    "Debian package": b"!<arch>\ndebian-binary".ljust(66) + b"`\n2.0\n",
    "RPM": bytes.fromhex("edabeedb03000000") + bytes(100),
    "program for DOS that is all code": b"MZ" + struct.pack(
        "<13H", 40, 1, 0, 1, 0, 0xFFFF, 0, 256, 0, 16, 0, 28, 0
    ) + b"\xb4\x4c\xcd\x21".ljust(12),
    "universal Mach-O of very many": bytes.fromhex("cafebabe0000002b") + 43 * SLICE,
    "universal Mach-O, a foreign one first": (
        bytes.fromhex("cafebabe00000002") + FOREIGN_SLICE + SLICE
    ),
    "Android code of version 041": (
        b"dex\n041\0" + bytes(24) + struct.pack("<3I", 500, 0x78, 0x12345678) + bytes(456)
    ),
    "batch file behind remarks": b":: builds it\r\nREM by hand\r\n\r\n@echo off\r\nmake\r\n",
    "PHAR as a ZIP": zip_of("a.php", ".phar/stub.php"),
    "PHAR of a later version": files.PNG + b"<?= 1; __HALT_COMPILER(); ?>\r\n" + struct.pack(
        "<2I2s", 60, 1, b"\x20\x00"
    ) + bytes(54),
    "volume of APFS": bytes(32) + b"NXSB\0\x10\0\0" + bytes(4000),
    "encrypted disk image": b"encrcdsa\0\0\0\2" + bytes(4000),
}  # fmt: skip

PLAIN = {
    "image/png": files.PNG,
    "image/jpeg": files.JPEG,
    "image/gif": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(30),
    "image/heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(20),
    "video/mp4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(20),
    "audio/wav": b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00" + bytes(30),
    "application/pdf": files.PDF,
    "image/svg+xml": files.SVG,
    "text/html": b"<!DOCTYPE html><html><body></body></html>",
    "text/plain": "grüße\n".encode(),
    "application/json": b'{"a": [1, 2]}',
    "application/octet-stream": bytes(range(1, 200)),
    "application/zip": zip_of("a.txt", "b.txt"),
    OOXML + "wordprocessingml.document": files.DOCX,
    OOXML + "spreadsheetml.sheet": zip_of("[Content_Types].xml", "xl/workbook.xml"),
    OOXML + "presentationml.presentation": zip_of("ppt/slides/a.xml", "[Content_Types].xml"),
    "application/vnd.ms-word.document.macroenabled.12": zip_of(
        "[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"
    ),
    "application/vnd.oasis.opendocument.text": zip_of(
        "content.xml", first=("mimetype", b"application/vnd.oasis.opendocument.text")
    ),
    "application/epub+zip": zip_of(
        "META-INF/container.xml", first=("mimetype", b"application/epub+zip")
    ),
}


@pytest.mark.parametrize("data", PROGRAMS.values(), ids=PROGRAMS)
async def test_a_program_is_denied_however_it_is_wrapped(sniffer: Sniffer, data: bytes) -> None:
    sniffed, _ = await sniff(sniffer, data)
    assert isinstance(judge(Terms(), sniffed, "image/png"), Rejected), sniffed


@pytest.mark.parametrize(("content_type", "data"), PLAIN.items(), ids=PLAIN)
async def test_a_file_is_known_by_its_content_and_may_pass(
    sniffer: Sniffer, content_type: str, data: bytes
) -> None:
    sniffed, _ = await sniff(sniffer, data)
    assert sniffed.content_type == content_type
    assert isinstance(judge(Terms(), sniffed, None), Accepted)


ADMITS = {
    "GIF and JavaScript": (b"GIF89a/*\x01\0\x01\0*/=1;alert(1)", "application/javascript"),
    "PDF and ZIP": (files.PDF + zip_of("a.txt"), "application/zip"),
    "PDF late in the head": (files.PNG.ljust(900, b"\0") + files.PDF, "application/pdf"),
    "ZIP after a megabyte": (bytes(1_000_000) + zip_of("a.txt"), "application/zip"),
    "macros": (
        zip_of("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"),
        "application/vnd.ms-office.vbaproject",
    ),
}


@pytest.mark.parametrize(("data", "besides"), ADMITS.values(), ids=ADMITS)
async def test_every_type_that_a_file_admits_is_one_that_a_route_can_deny(
    sniffer: Sniffer, data: bytes, besides: str
) -> None:
    sniffed, _ = await sniff(sniffer, data)
    assert besides in sniffed.alternatives
    assert isinstance(judge(Terms(), sniffed, None), Accepted)
    assert isinstance(judge(Terms(denied_types=(besides,)), sniffed, None), Rejected)


@pytest.mark.parametrize("name", ["GIF and JavaScript", "PDF late in the head"])
async def test_a_picture_that_is_something_else_too_is_not_among_pictures(
    sniffer: Sniffer, name: str
) -> None:
    data, besides = ADMITS[name]
    for polyglot in (data, PLAIN["image/gif"] + zip_of("a.txt"), files.JPEG + files.DOCX):
        sniffed, _ = await sniff(sniffer, polyglot)
        assert isinstance(judge(Terms(allowed_types=("image/*",)), sniffed, None), Rejected)
    sniffed, _ = await sniff(sniffer, data)
    assert judge(Terms(allowed_types=("image/*", besides)), sniffed, None) == Accepted()


def tar_of(data: bytes) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        info = tarfile.TarInfo("a.zip")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return output.getvalue()


HOLDING = {
    "application/x-tar": tar_of(zip_of("a.txt")),
    "application/pdf": files.PDF + b"1 0 obj\nstream\n" + zip_of("a") + b"\nendstream\n%%EOF\n",
    "application/vnd.ms-word.document.macroenabled.12": ADMITS["macros"][0],
}


@pytest.mark.parametrize(("content_type", "data"), HOLDING.items(), ids=HOLDING)
async def test_what_a_file_holds_makes_no_other_file_of_it(
    sniffer: Sniffer, content_type: str, data: bytes
) -> None:
    sniffed, _ = await sniff(sniffer, data)
    assert sniffed.alternatives
    assert judge(Terms(allowed_types=(content_type,)), sniffed, None) == Accepted()


async def test_a_picture_of_any_width_is_no_script() -> None:
    for width in range(8192):
        assert types_of_head(b"GIF89a" + width.to_bytes(2, "little") + bytes([4, 1, 0xF7, 0])) == []
    for size in range(0x3D, 1 << 24, 256):
        assert types_of_head(b"BM" + size.to_bytes(4, "little") + bytes(4) + b"6\0\0\0") == []


MACRO_LIST = b'<Override PartName="/word/x.bin" ContentType="application/vnd.ms-office.%s"/>'


@pytest.mark.parametrize(
    "listed",
    [
        MACRO_LIST % b"vbaProject",
        MACRO_LIST % b"vb&#x61;Project",
        (MACRO_LIST % b"vbaProject").decode().encode("utf-16"),
    ],
)
async def test_macros_are_found_by_whatever_name_they_go(sniffer: Sniffer, listed: bytes) -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", listed)
        archive.writestr("word/document.xml", "x")
        archive.writestr("word/x.bin", "x")
    sniffed, _ = await sniff(sniffer, output.getvalue())
    assert sniffed.content_type == "application/vnd.ms-word.document.macroenabled.12"
    assert "application/vnd.ms-office.vbaproject" in sniffed.alternatives


async def test_a_list_of_content_types_is_unpacked_to_a_limit(sniffer: Sniffer) -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", bytes(10_000_000) + MACRO_LIST % b"vbaProject")
        archive.writestr("word/document.xml", "x")
    sniffed, _ = await sniff(sniffer, output.getvalue())
    assert sniffed.content_type == files.DOCX_TYPE


HARMLESS = {
    "truncated ELF": (b"\x7fELF\x02\x01\x01", "application/x-executable"),
    "compound file that is cut off": (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), None),
    "deep JSON": (b"[" * 16_000, None),
    "nested JSON": (b'{"a":' * 3000, None),
    "huge picture": (
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xc3P\0\0\xc3P\x08\x06\0\0\0", "image/png",
    ),
    "archive of archives": (zip_of("lib 0.zip", "lib 1.zip"), "application/zip"),
    "gzip": (gzip.compress(bytes(100_000)), "application/gzip"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), HARMLESS.values(), ids=HARMLESS)
async def test_what_has_hurt_other_sniffers_is_answered(
    sniffer: Sniffer, data: bytes, expected: str | None
) -> None:
    sniffed, _ = await sniff(sniffer, data)
    assert expected in (None, sniffed.content_type)
    assert UNSNIFFED not in sniffed.alternatives


def packed_zeros(mebibytes: int) -> bytes:
    """A gzip file of zeros, named as `gzip` does."""
    output = io.BytesIO()
    with gzip.GzipFile("zeros.bin", "wb", 1, output) as file:
        for _ in range(mebibytes // 16):
            file.write(bytes(16 * 1024**2))
    return output.getvalue()


async def test_a_gzip_of_far_too_much_is_a_bomb(sniffer: Sniffer) -> None:
    packed = packed_zeros(64)
    # The trailer of one that is twenty times as long, whose making would take long.
    bomb = (
        packed[:-8] + bytes(19 * len(packed)) + bytes(4) + (20 * 64 * 1024**2).to_bytes(4, "little")
    )
    for sniffed in (
        (await sniff(sniffer, bomb))[0],
        await sniffer.sniff_pieces(len(bomb), kept_of(bomb)),
    ):
        verdict = judge(Terms(), sniffed, None)
        assert isinstance(verdict, Rejected)
        assert verdict.slug == "archive-bomb"


async def test_a_gzip_that_is_cut_padded_or_written_on_is_no_bomb(sniffer: Sniffer) -> None:
    log = gzip.compress(b"".join(b"%d GET /v1/users/%d\n" % (n, n * n) for n in range(100_000)))
    ends = (b"", bytes(1000), b"\xff" * 4, b"garbage of any kind", gzip.compress(b"another member"))
    files = [
        data[:cut] + end
        for data in (gzip.compress(b"x"), log, gzip.compress(bytes(10**6)))
        for cut in (len(data), len(data) * 3 // 4, -5, -2)
        for end in ends
    ]
    files += [log[: 200_000 + n] for n in range(100)]
    for data in files:
        # Their last bytes say anything, and of larger files what they say would be possible.
        for times in (1, 5_000_000 // len(data)):
            sniffed, _ = await sniff(sniffer, data + data[:-4] * (times - 1) + data[-4:])
            assert (sniffed.content_type, sniffed.bomb) == ("application/gzip", False)


async def test_the_head_of_a_film_is_enough(sniffer: Sniffer) -> None:
    film = (Path(__file__).parent.parent / "files" / "video.mp4").read_bytes()
    assert (
        await sniffer.sniff_pieces(len(film), [Piece(0, film[:2048])])
    ).content_type == "video/mp4"


async def test_an_empty_file_is_known_as_such(sniffer: Sniffer) -> None:
    assert (await sniff(sniffer, b""))[0].content_type == "application/x-empty"


@pytest.mark.parametrize("late", [0, 70_000])
async def test_a_document_is_known_wherever_its_directory_lies(sniffer: Sniffer, late: int) -> None:
    names = [
        "word/document.xml",
        "[Content_Types].xml",
        *(f"word/{n}.xml" for n in range(late // 50)),
    ]
    sniffed, _ = await sniff(sniffer, zip_of(*names))
    assert sniffed.content_type == files.DOCX_TYPE


async def test_what_tells_an_archive_is_read_before_its_other_entries(sniffer: Sniffer) -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for number in range(8):
            archive.writestr(f"{number}.java", bytes(200_000))
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nMain-Class: A\r\n")
        archive.writestr("A.class", files.CLASS)
        archive.writestr("9.java", bytes(200_000))
    sniffed, read = await sniff(sniffer, output.getvalue())
    assert isinstance(judge(Terms(), sniffed, None), Rejected)
    assert len(read) <= 9


async def test_only_the_ends_of_a_large_file_are_read(sniffer: Sniffer) -> None:
    _, read = await sniff(
        sniffer, b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(20_000_000)
    )
    assert sum(read) < 100_000
    assert len(read) == 2


@pytest.mark.parametrize(
    "data",
    [
        zip_of("a.txt") + b"trailing",
        b"leading" + zip_of("a.txt"),
        zip_of("a.txt") + zip_of("b.txt"),
        zip_of("a.txt").replace(b"PK\x01\x02", b"PK\x01\x03", 1),
    ],
    ids=["suffix", "prefix", "two archives", "broken directory"],
)
async def test_an_archive_that_can_be_read_in_two_ways_is_not_certain(
    sniffer: Sniffer, data: bytes
) -> None:
    sniffed, _ = await sniff(sniffer, data)
    assert sniffed.ambiguous or sniffed.alternatives or sniffed.content_type != "application/zip"


async def test_the_head_alone_tells_the_usual_document(sniffer: Sniffer) -> None:
    data = zip_of("[Content_Types].xml", "word/document.xml", *map(str, range(1000)))
    sniffed = await sniffer.sniff_pieces(len(data), [Piece(0, data[:300])])
    assert sniffed.content_type == files.DOCX_TYPE
    assert not sniffed.certain


async def test_many_ask_at_a_time_and_each_gets_its_own_answer(sniffer: Sniffer) -> None:
    heads = {"image/png": files.PNG, "application/pdf": files.PDF, "image/jpeg": files.JPEG}
    asked = [kind for kind in heads for _ in range(40)]
    found = await asyncio.gather(*(sniff(sniffer, heads[kind]) for kind in asked))
    assert [sniffed.content_type for sniffed, _ in found] == asked


async def test_every_type_that_is_denied_is_a_plain_media_type() -> None:
    assert all(name == name.lower() and name.count("/") == 1 for name in EXECUTABLES)
