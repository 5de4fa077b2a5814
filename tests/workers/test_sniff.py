"""What files are by their content, on a real libmagic."""

import threading

import pytest

from gateway.uploads.policy import EXECUTABLES, Accepted, Rejected, Sniffed, judge
from gateway.uploads.record import Terms
from tests.flows import files
from tests.flows.files import zip_of
from workers.sniff import Sniffer

SNIFFER = Sniffer()
OOXML = "application/vnd.openxmlformats-officedocument."

PROGRAMS = {
    "portable executable": files.EXE,
    "bare MZ": b"MZ" + bytes(100),
    "ELF": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00\x01\x00\x00\x00" + bytes(40),
    "ELF cut short": b"\x7fELF\x02\x01",
    "Mach-O": bytes.fromhex("cffaedfe07000001030000000200000010000000") + bytes(40),
    "shell script": b"#!/bin/sh\necho x\n",
    "script of any interpreter": b"#!/opt/thing\nx\n",
    "batch file": b"@echo off\r\ndir\r\n",
    "PHP": b"<?php echo 1; ?>",
    "Java class": bytes.fromhex("cafebabe00000034") + bytes(30),
    "shortcut": bytes.fromhex("4c0000000114020000000000c000000000000046") + bytes(60),
    "installer": bytes.fromhex("d0cf11e0a1b11ae1") + bytes(500)
    + bytes.fromhex("84100c0000000000c000000000000046") + bytes(100),
    "APK": files.APK,
    "JAR": zip_of("META-INF/MANIFEST.MF", "a/B.class"),
    "GIF and JAR": b"GIF89a\x01\x00\x01\x00" + zip_of("META-INF/MANIFEST.MF"),
    "PDF and APK": files.PDF + files.APK,
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


async def sniff(data: bytes) -> tuple[Sniffed, int]:
    """What the file is, and how many of its bytes had to be read."""
    read = 0

    async def read_range(start: int, length: int) -> bytes:
        nonlocal read
        found = data[start : start + length]
        read += len(found)
        return found

    return await SNIFFER.sniff(len(data), read_range), read


@pytest.mark.parametrize("data", PROGRAMS.values(), ids=PROGRAMS)
async def test_a_program_is_denied_however_it_is_wrapped(data: bytes) -> None:
    sniffed, _ = await sniff(data)
    assert isinstance(judge(Terms(), sniffed, "image/png"), Rejected), sniffed


@pytest.mark.parametrize(("content_type", "data"), PLAIN.items(), ids=PLAIN)
async def test_a_file_is_known_by_its_content_and_may_pass(content_type: str, data: bytes) -> None:
    sniffed, _ = await sniff(data)
    assert sniffed.content_type == content_type
    assert isinstance(judge(Terms(), sniffed, None), Accepted)


async def test_an_empty_file_is_known_as_such() -> None:
    assert (await sniff(b""))[0].content_type == "application/x-empty"


@pytest.mark.parametrize("late", [0, 70_000])
async def test_a_document_is_known_wherever_its_directory_lies(late: int) -> None:
    names = [
        "word/document.xml",
        "[Content_Types].xml",
        *(f"word/{n}.xml" for n in range(late // 50)),
    ]
    sniffed, _ = await sniff(zip_of(*names))
    assert sniffed.content_type == files.DOCX_TYPE


async def test_only_the_ends_of_a_large_file_are_read() -> None:
    _, read = await sniff(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(20_000_000))
    assert read < 100_000


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
async def test_an_archive_that_can_be_read_in_two_ways_is_not_certain(data: bytes) -> None:
    sniffed, _ = await sniff(data)
    assert sniffed.ambiguous or sniffed.alternatives or sniffed.content_type != "application/zip"


def test_the_head_alone_tells_the_usual_document() -> None:
    sniffed = SNIFFER.sniff_head(zip_of("[Content_Types].xml", "word/document.xml")[:300])
    assert sniffed.content_type == files.DOCX_TYPE
    assert not sniffed.certain


def test_each_thread_has_a_libmagic_of_its_own() -> None:
    found: list[str] = []

    def look() -> None:
        for _ in range(50):
            found.append(SNIFFER.sniff_head(files.PNG).content_type)  # noqa: PERF401 - by threads

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["image/png"] * 400


def test_every_type_that_is_denied_is_a_plain_media_type() -> None:
    assert all(name == name.lower() and name.count("/") == 1 for name in EXECUTABLES)
