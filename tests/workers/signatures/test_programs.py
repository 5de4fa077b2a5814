"""Programs of each kind are found, whole, in part and in disguise."""

import struct
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.uploads.policy import DENIED
from tests.flows import files
from workers.signatures import far_header, types_of_head, types_of_tail

HERE = Path(__file__).parent
FILES = HERE.parent.parent / "files"
APK = zipfile.ZipFile(FILES / "program.apk")
LOOKED_AT = 16_384
KEPT = 4096
"""Of a relayed file's first bytes."""


def with_new_header(mark: bytes, at: int) -> bytes:
    """Of which Windows loads what is at its place alone."""
    return b"MZ".ljust(60, b"\xaa") + struct.pack("<I", at) + bytes(at - 64) + mark.ljust(64, b"\1")


def universal(program: bytes) -> bytes:
    """A program for two kinds of processors, as `lipo` makes it."""
    size = len(program)
    head = struct.pack(
        ">12I", 0xCAFEBABE, 2, 0x1000007, 3, 4096, size, 12, 0x100000C, 0, 65536, size, 12
    )
    return head.ljust(4096, b"\0") + program


PROGRAMS = {
    "a.exe": (FILES / "program.exe").read_bytes(),
    "a.dll": (FILES / "library.dll").read_bytes(),
    "a program for DOS": files.DOS,
    "a PE whose header overlaps DOS's": b"MZ\0\0PE\0\0" + bytes(52) + b"\4\0\0\0" + bytes(200),
    "a program for Windows 3": with_new_header(b"NE".ljust(54, b"\0") + b"\2", 128),
    "a driver for Windows 95": with_new_header(b"LE" + bytes(14), 128),
    "a program for OS/2": with_new_header(b"LX" + bytes(14), 128),
    "a shortcut to a program for DOS": bytes(0x171) + b"MICROSOFT PIFEX\0" + bytes(400),
    "ELF": (FILES / "program.elf").read_bytes(),
    "ELF for ARM": (FILES / "program-arm.elf").read_bytes(),
    "a library": (FILES / "library.so").read_bytes(),
    "the interpreter of these tests": Path(sys.executable).read_bytes()[:LOOKED_AT],
    "Mach-O": (FILES / "program.macho").read_bytes(),
    "universal Mach-O": universal((FILES / "program.macho").read_bytes()),
    "a class": (FILES / "Hello.class").read_bytes(),
    "Android code": APK.read("classes.dex"),
    "WebAssembly": b"\0asm\1\0\0\0" + bytes(20),
    "a component of WebAssembly": b"\0asm\x0d\0\1\0" + bytes(20),
    "PHAR": (HERE / "phars" / "program.phar").read_bytes(),
    "PHAR as a tape": (HERE / "phars" / "tape.phar.tar").read_bytes(),
    "shell": (FILES / "script.sh").read_bytes(),
    "Perl": (FILES / "script.pl").read_bytes(),
    "Python": (FILES / "script.python").read_bytes(),
    "PHP": (FILES / "script.php").read_bytes(),
    "PHP by its short mark": b"<?= system($_GET[0]) ?>",
    "a batch file": (FILES / "script.bat").read_bytes(),
    "a batch file that says nothing": b"@rem made by npm\r\n@setlocal\r\ndel *\r\n",
    "a script by a path of Windows": b"#!C:\\Python\\python.exe -u\r\nx\r\n",
    "an installer": files.INSTALLER,
    "a shortcut": bytes.fromhex("4c0000000114020000000000c000000000000046") + bytes(60),
    "an extension of Chrome": b"Cr24\3\0\0\0\x45\2\0\0" + bytes(50),
    "an old extension of Chrome": b"Cr24\2\0\0\0\x26\1\0\0\0\1\0\0" + bytes(50),
    "a package for macOS": b"xar!\0\x1c\0\1" + bytes(40),
    "a package for Debian": b"!<arch>\ndebian-binary   1700000000  0     0".ljust(66) + b"`\n2.0\n",
    "RPM": bytes.fromhex("edabeedb0300000000010000") + bytes(84),
    "a volume of HFS Plus": bytes(1024) + b"H+\0\x04\x80\0\1\0HFSJ" + bytes(500),
    "a disk of macOS": (b"ER\x02\0\0\0" + bytes(506) + b"PM\0\0\0\0\0\3").ljust(2048, b"\0"),
}  # fmt: skip


def denied(types: list[str]) -> list[str]:
    return [kind for kind in types if kind in DENIED]


@pytest.mark.parametrize("data", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_is_found_whole_and_in_the_parts_that_are_read(data: bytes) -> None:
    for part in (data, data[:LOOKED_AT], data[:KEPT]):
        assert denied(types_of_head(part, len(data)))
        # Or the rest was cut off, and this is all of the file.
        assert denied(types_of_head(part))


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "name", ["shell", "Perl", "Python", "PHP", "a batch file", "a batch file that says nothing"]
)
def test_a_script_is_found_after_a_byte_order_mark_and_blanks(name: str, mark: str) -> None:
    script = PROGRAMS[name].decode()
    kind = denied(types_of_head(script.encode()))
    for text in (script, f"\n\t {script}"):
        assert denied(types_of_head(text.encode(mark))) == kind


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("#!/usr/bin/env python3", "text/x-script.python"),
        ("#! /usr/bin/env -S A=1 perl -w", "text/x-perl"),
        ("#!/usr/local/bin/ruby2.7", "text/x-ruby"),
        ("#!/bin/mawk -f", "text/x-awk"),
        ("#!/usr/bin/env node", "text/x-shellscript"),
        ("#!/opt/thing", "text/x-shellscript"),
    ],
)
def test_a_script_is_called_by_its_interpreter(line: str, kind: str) -> None:
    assert types_of_head(f"{line}\nx\n".encode())[0] == kind


@pytest.mark.parametrize("at", [64, 4000, 16_320, 16_350, 100_000])
def test_a_new_header_is_asked_for_wherever_it_lies(at: int) -> None:
    for mark in (b"PE\0\0", b"NE".ljust(54, b"\0") + b"\2"):
        data = with_new_header(mark, at)
        head, span = data[:LOOKED_AT], far_header(data[:LOOKED_AT], len(data))
        far = b"" if span is None else data[span[0] :][: span[1]]
        assert (span is not None) == (at + 64 > LOOKED_AT)
        assert types_of_head(head, len(data), far) == ["application/x-dosexec"]


@pytest.mark.parametrize("front", [files.PNG, files.JPEG, b"GIF89a\1\0\1\0\0\0\0;", files.PDF])
def test_a_program_after_a_picture_is_found(front: bytes) -> None:
    phar = PROGRAMS["PHAR"]
    assert "application/x-phar" in types_of_head(front + phar)
    assert types_of_tail(front, bytes(100_000) + phar) == ["application/x-phar"]
    assert "text/x-php" in types_of_head(front + b"\0<?php system($_GET[0]);")
    image = files.KOLY
    assert types_of_tail(front, bytes(1000) + image) == ["application/x-apple-diskimage"]


def test_a_program_of_php_on_a_long_tape_is_found() -> None:
    tape = PROGRAMS["PHAR as a tape"]
    entry = tape[:1024]
    assert types_of_tail(entry, tape) == ["application/x-phar"]
    assert types_of_tail(entry, entry * 10) == types_of_tail(files.PNG, tape) == []


@given(st.binary(max_size=600), st.sampled_from(sorted(PROGRAMS)), st.integers(0, 600))
def test_no_program_makes_a_reader_fail(noise: bytes, name: str, at: int) -> None:
    data = PROGRAMS[name]
    for changed in (data[:at], data[:at] + noise + data[at + len(noise) :], noise + data):
        types_of_head(changed)
        types_of_head(changed[:100], 1 << 40, noise)
        types_of_tail(data, changed)
