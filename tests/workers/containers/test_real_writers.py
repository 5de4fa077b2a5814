"""Archives as real programs write them are no matter of doubt, and real readers agree on them."""

import subprocess
from pathlib import Path

import pytest

from tests.workers.containers.readers import need_tools, readings
from tests.workers.containers.reading import read
from tests.workers.containers.test_consistency import SAME_TO_ALL
from workers.containers import ZIP, Container

WRITTEN = sorted((Path(__file__).parents[2] / "data" / "archives").glob("*.zip"))
PATIENT = 2
"""Of six readers, so many at the least have to take an archive for their agreement to count."""

BY_TOOLS = {
    "zip": "zip -qr {archive} {folder}",
    "zip, piped": "zip -qr - {folder} | cat > {archive}",
    "zip, stored and piped": "zip -q0r - {folder} | cat > {archive}",
    "zip, with descriptors": "zip -qrfd {archive} {folder}",
    "zip, 64 bits": "zip -qr -fz {archive} {folder}",
    "zip of what is piped in": "cat a.txt | zip -q - - | cat > {archive}",
    "zip, with a comment for each": "printf 'one\\ntwo\\nthree\\n' | zip -qrc {archive} {folder}",
    "zip, with a comment": "echo note | zip -qrz {archive} {folder}",
    "bsdtar": "bsdtar -acf {archive} {folder}",
    "bsdtar, piped": "bsdtar -c --format zip -f - {folder} | cat > {archive}",
    "bsdtar, stored":
        "bsdtar -c --format zip --options zip:compression=store -f {archive} {folder}",
    "bsdtar, 64 bits and piped":
        "bsdtar -c --format zip --options zip:zip64 -f - {folder} | cat > {archive}",
    "zip, with a password and piped": "zip -qreP secret - {folder} | cat > {archive}",
    "7z": "7z a -bd -tzip {archive} {folder} > 7z.log",
    "7z, piped": "7z a -bd -tzip -so x {folder} > {archive} 2> 7z.log",
}  # fmt: skip

LOOSENED = [
    "plain", "64 bits", "data descriptor", "each size by itself left to the descriptor",
    "64 bits, all left to the longer record", "64 bits, nothing left to the longer record",
    "64 bits, the offset alone", "entries with comments", "zeros behind it", "a line end behind it",
    "padded extra",
]  # fmt: skip


def in_doubt(data: bytes) -> Container | None:
    """What the archive is taken for, if not for a plain one."""
    found, _ = read(data)
    return None if found == Container(ZIP) else found


@pytest.mark.parametrize("path", WRITTEN, ids=[path.stem for path in WRITTEN])
def test_what_a_real_program_wrote_may_pass(path: Path) -> None:
    assert in_doubt(path.read_bytes()) is None


def test_there_are_many_writers() -> None:
    assert len(WRITTEN) > 25


@pytest.mark.slow
def test_real_readers_agree_on_what_may_pass(tmp_path: Path) -> None:
    need_tools()
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "folder" / "b.txt").write_text("b" * 1000)
    (tmp_path / "folder" / "inner" / "c.bin").write_bytes(bytes(200_000))
    paths: dict[str, Path] = {}
    for name in LOOSENED:
        paths[name] = tmp_path / f"{len(paths)}.zip"
        paths[name].write_bytes(SAME_TO_ALL[name])
    for name, command in BY_TOOLS.items():
        paths[name] = tmp_path / f"{len(paths)}.zip"
        line = command.format(archive=paths[name].name, folder="folder")
        subprocess.run(line, shell=True, cwd=tmp_path, check=True, timeout=60)
    for path in WRITTEN:
        if path.stem.endswith(("-aes", "-pw")):
            continue  # nobody asks for a password here
        paths[path.name] = tmp_path / f"{len(paths)}.zip"
        paths[path.name].write_bytes(path.read_bytes())
    for name, found in zip(paths, readings(list(paths.values())), strict=True):
        assert in_doubt(paths[name].read_bytes()) is None, name
        if "password" in name:
            continue  # nobody is asked for it here
        taken = {reader: contents for reader, contents in found.items() if contents is not None}
        assert len(taken) >= PATIENT, (name, found)
        assert all(contents == next(iter(taken.values())) for contents in taken.values()), name
