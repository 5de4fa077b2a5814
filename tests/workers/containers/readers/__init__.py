"""Real readers of archives: Python's, Info-ZIP's, libarchive's, 7-Zip's and Java's two."""

import base64
import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.programs import need

PACKAGES: Final = "default-jre-headless libarchive-tools p7zip-full unzip zip"
"""Debian's, which `.ci/run` installs."""

TOOLS: Final = ("java", "bsdtar", "7z", "unzip", "zip")
_JAVA: Final = Path(__file__).with_name("Archive.java")

Contents = dict[str, bytes]


def need_tools() -> None:
    """End the test where a tool is missing."""
    need(*TOOLS, packages=PACKAGES)


def read_python(path: Path) -> Contents | None:
    """By Python's zipfile."""
    try:
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            return {n: archive.read(n) for n in archive.namelist() if not n.endswith("/")}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return None


def read_by(*command: str) -> Callable[[Path], Contents | None]:
    """By a tool that unpacks into a folder; its command's last words become its arguments."""

    def read(path: Path) -> Contents | None:
        folder = path.with_suffix(f".{command[0]}")
        folder.mkdir()
        line = [word.format(archive=path, folder=folder) for word in command]
        # 1: Info-ZIP's and 7-Zip's warnings, after which everything was unpacked.
        if subprocess.run(line, capture_output=True, check=False).returncode > 1:
            return None
        files = (found for found in folder.rglob("*") if found.is_file())
        return {str(found.relative_to(folder)): found.read_bytes() for found in files}

    return read


FOLDERS: Final[Mapping[str, Callable[[Path], Contents | None]]] = {
    "python": read_python,
    "unzip": read_by("unzip", "-qq", "{archive}", "-d", "{folder}"),
    "bsdtar": read_by("bsdtar", "-xf", "{archive}", "-C", "{folder}"),
    "7z": read_by("7z", "x", "-bd", "-y", "-o{folder}", "{archive}"),
}


def read_java(way: str, paths: Sequence[Path]) -> list[Contents | None]:
    """By Java's ZipFile (`directory`) or its ZipInputStream (`front`): many by one JVM."""
    java = shutil.which("java")
    assert java is not None
    command = [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8"]
    done = subprocess.run(
        [*command, str(_JAVA), way, *map(str, paths)], capture_output=True, check=True, text=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(paths), done.stderr
    return [_decoded(line) for line in lines]


def _decoded(line: str) -> Contents | None:
    verdict, *words = line.split(" ")
    if verdict != "+":
        return None
    pairs = zip(words[::2], words[1::2], strict=True)
    return {base64.b64decode(name).decode(): base64.b64decode(data) for name, data in pairs}


def readings(paths: Sequence[Path]) -> list[dict[str, Contents | None]]:
    """What each reader unpacks of each archive; None where it refuses it."""
    java = {way: read_java(way, paths) for way in ("directory", "front")}
    return [
        {name: read(path) for name, read in FOLDERS.items()}
        | {f"java, by the {way}": java[way][n] for way in java}
        for n, path in enumerate(paths)
    ]
