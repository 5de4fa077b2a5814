"""Archives by every available writer: to a file, and to a pipe."""

import bz2
import gzip
import io
import json
import lzma
import os
import random
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import py7zr
import stream_zip
import zipstream
import zstandard

_NAMES = ("note.txt", "żółw 猫.txt", "photos/noise.bin", "photos/deep/er/page.html", "empty.txt")
_MEMBERS = [
    (f"data/{number}.bin", random.Random(number).randbytes(600) + b"and again " * 100)
    for number in range(12)
]


def make(folder: Path, tools: Path) -> None:
    """Write what each writer makes of the same few files."""
    content = folder.parent.parent / "content"
    for number, name in enumerate(_NAMES):
        path = content / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty.txt" else f"{name}, {number}\n".encode() * 500)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    _zips_of_python(folder)
    _by_zip(folder, content, tools)
    _by_bsdtar(folder, content, tools)
    _by_7z(folder, content, tools)
    _tars(folder)
    _packed(folder)
    _named_otherwise(folder)


class _Pipe(io.RawIOBase):
    """Bytes that can only be written in sequence."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += data
        return len(data)


def _zips_of_python(folder: Path) -> None:
    methods = {
        "stored": zipfile.ZIP_STORED,
        "deflated": zipfile.ZIP_DEFLATED,
        "bzip2": zipfile.ZIP_BZIP2,
        "lzma": zipfile.ZIP_LZMA,
    }
    for name, method in methods.items():
        (folder / f"python-{name}.zip").write_bytes(_zip(_MEMBERS, method))
        pipe = _Pipe()
        _write_zip(pipe, _MEMBERS, method)
        (folder / f"python-{name}-pipe.zip").write_bytes(pipe.data)
    (folder / "python-none.zip").write_bytes(_zip([]))
    (folder / "python-comment.zip").write_bytes(_zip(_MEMBERS, comment=b"of all of it"))
    with zipfile.ZipFile(folder / "python-zip64.zip", "w") as archive:
        for name, data in _MEMBERS:
            with archive.open(name, "w", force_zip64=True) as entry:
                entry.write(data)
    lazily = zipstream.ZipStream(compress_type=zipfile.ZIP_DEFLATED)
    for name, data in _MEMBERS:
        lazily.add(data, name)
    (folder / "zipstream-ng.zip").write_bytes(b"".join(lazily))
    at, mode = datetime(2026, 1, 1, tzinfo=UTC), 0o644
    for name, method in {
        "auto": stream_zip.ZIP_AUTO(10**6),
        "zip32": stream_zip.ZIP_32,
        "zip64": stream_zip.ZIP_64,
        "stored-zip32": stream_zip.NO_COMPRESSION_32,
        "stored-zip64": stream_zip.NO_COMPRESSION_64,
    }.items():
        members = ((path, at, mode, method, iter([data])) for path, data in _MEMBERS)
        (folder / f"stream-zip-{name}.zip").write_bytes(b"".join(stream_zip.stream_zip(members)))


def _zip(
    members: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b""
) -> bytes:
    output = io.BytesIO()
    _write_zip(output, members, method, comment)
    return output.getvalue()


def _write_zip(output, members, method: int, comment: bytes = b"") -> None:
    with zipfile.ZipFile(output, "w", method) as archive:
        archive.comment = comment
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, method)


def _runner(content: Path, tools: Path) -> Callable[..., bytes]:
    found = [str(path) for path in (tools / "usr/lib").glob("*-linux-gnu*")]
    environ = {**os.environ, "LD_LIBRARY_PATH": ":".join(found)}

    def run(*command: str | Path) -> bytes:
        program = [str(tools / str(command[0])), *map(str, command[1:])]
        return subprocess.run(
            program, cwd=content, env=environ, check=True, stdout=subprocess.PIPE
        ).stdout

    return run


def _by_zip(folder: Path, content: Path, tools: Path) -> None:
    run = _runner(content, tools)
    program = "usr/bin/zip"
    for name, flags in {
        "plain": ("-rq",),
        "best": ("-rq9",),
        "stored": ("-rq0",),
        "no-folders": ("-rqD",),
        "bare": ("-rqX",),
        "locked": ("-rq", "-P", "secret"),
        "unicode": ("-rq", "-UN=UTF8"),
        "described": ("-rqfd",),
        "zip64": ("-rqfz",),
    }.items():
        target = folder / f"zip-{name}.zip"
        run(program, *flags, target, ".")
        if name not in ("zip64", "described"):
            (folder / f"zip-{name}-pipe.zip").write_bytes(run(program, *flags, "-", "."))


def _by_bsdtar(folder: Path, content: Path, tools: Path) -> None:
    run = _runner(content, tools)
    formats = {
        "plain.zip": ("zip",),
        "stored.zip": ("zip", "--options", "zip:compression=store"),
        "locked.zip": ("zip", "--options", "zip:encryption=aes256", "--passphrase", "secret"),
        "plain.7z": ("7zip",),
        "ustar.tar": ("ustar",),
        "pax.tar": ("pax",),
        "gnu.tar": ("gnutar",),
        "old.tar": ("v7",),
        "odc.cpio": ("odc",),
        "new.cpio": ("newc",),
        "disc.iso": ("iso9660",),
        "packed.tgz": ("ustar", "-z"),
        "packed.tbz2": ("ustar", "-j"),
        "packed.txz": ("ustar", "-J"),
        "packed.tar.zst": ("ustar", "--zstd"),
        "packed.tar.lz": ("ustar", "--lzip"),
        "packed.tar.Z": ("ustar", "-Z"),
    }
    for name, flags in formats.items():
        # version 7 has no place for names beyond ASCII, nor has ISO 9660 in short ones.
        names = ("note.txt", "photos") if name.startswith(("old", "disc", "odc")) else (".",)
        run("usr/bin/bsdtar", "-cf", folder / f"bsdtar-{name}", "--format", *flags, *names)
    (folder / "bsdtar-pipe.zip").write_bytes(
        run("usr/bin/bsdtar", "-cf", "-", "--format", "zip", ".")
    )


def _by_7z(folder: Path, content: Path, tools: Path) -> None:
    run = _runner(content, tools)
    for name, flags in {
        "plain.zip": ("-tzip",),
        "stored.zip": ("-tzip", "-mx=0"),
        "best.zip": ("-tzip", "-mx=9"),
        "deflate64.zip": ("-tzip", "-mm=Deflate64"),
        "aes.zip": ("-tzip", "-psecret", "-mem=AES256"),
        "lzma.zip": ("-tzip", "-mm=LZMA"),
        "unicode.zip": ("-tzip", "-mcu=on"),
        "plain.7z": ("-t7z",),
        "locked.7z": ("-t7z", "-psecret", "-mhe=on"),
        "ppmd.7z": ("-t7z", "-m0=PPMd"),
        "plain.tar": ("-ttar",),
        "plain.wim": ("-twim",),
    }.items():
        run(_seven_zip(tools), "a", *flags, "-bd", "-y", folder / f"7z-{name}", ".")
    with py7zr.SevenZipFile(folder / "py7zr.7z", "w") as archive:
        archive.writeall(content, "content")


def _seven_zip(tools: Path) -> str:
    return "usr/bin/7zz" if (tools / "usr/bin/7zz").exists() else "usr/lib/p7zip/7za"


def _tars(folder: Path) -> None:
    forms = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    modes = {"tar": "w:", "tar.gz": "w:gz", "tgz": "w|gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}
    for form, number in forms.items():
        for suffix, mode in modes.items():
            path = folder / f"python-{form}.{suffix}"
            with tarfile.open(str(path), mode, format=number) as archive:
                for name, data in _MEMBERS:
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))


def _packed(folder: Path) -> None:
    text = "".join(f"2026-01-01T00:00:{n % 60:02} GET /{n} 200\n" for n in range(20_000)).encode()
    packed = gzip.compress(text, mtime=0)
    cut = random.Random(18)
    (folder / "log.gz").write_bytes(packed)
    (folder / "log-twice.gz").write_bytes(packed + gzip.compress(b"one line more\n", mtime=0))
    (folder / "log-padded.gz").write_bytes(packed + bytes(512))
    (folder / "log-and-more.gz").write_bytes(packed + b"trailing garbage")
    for number in range(8):
        end = cut.randrange(len(packed) // 2, len(packed) - 8)
        (folder / f"log-cut-{number}.gz").write_bytes(packed[:end])
    (folder / "log.bz2").write_bytes(bz2.compress(text))
    (folder / "log.xz").write_bytes(lzma.compress(text))
    (folder / "log.lzma").write_bytes(lzma.compress(text, lzma.FORMAT_ALONE))
    (folder / "log.zst").write_bytes(zstandard.compress(text))
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    (folder / "drawing.svgz").write_bytes(gzip.compress(drawing, mtime=0))


def _named_otherwise(folder: Path) -> None:
    """ZIPs that have names of their own, and homework with a class or a manifest in it."""
    noise = random.Random(18).randbytes(2000)
    pass_ = json.dumps({"formatVersion": 1, "passTypeIdentifier": "pass.example"}).encode()
    class_ = bytes.fromhex("cafebabe00000034") + noise[:400]
    source = b"public class Main { public static void main(String[] a) {} }\n"
    for name, members in {
        "pass.pkpass": [("pass.json", pass_), ("icon.png", noise), ("manifest.json", b"{}"),
                        ("signature", noise)],
        "comic.cbz": [(f"{number:03}.jpg", noise) for number in range(5)],
        "place.kmz": [("doc.kml", b'<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"/>')],
        "moving.lottie": [("manifest.json", b'{"animations": []}'), ("animations/a.json", b"{}")],
        "homework.zip": [("Main.java", source), ("Main.class", class_), ("README.md", b"# Work\n")],
        "tree.zip": [("src/Main.java", source), ("src/META-INF/MANIFEST.MF", b"Manifest-Version: 1\n"),
                     ("pom.xml", b"<project/>")],
        "app-source.zip": [("AndroidManifest.xml", b'<?xml version="1.0"?><manifest/>'),
                           ("src/Main.java", source), ("build.gradle", b"plugins {}\n")],
    }.items():  # fmt: skip
        (folder / name).write_bytes(_zip(members))
    scene = [("scene.usdc", b"PXR-USDC" + noise), ("texture.png", noise)]
    (folder / "scene.usdz").write_bytes(_zip(scene, zipfile.ZIP_STORED))
