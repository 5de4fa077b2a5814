"""Packages of the Debian release that this machine runs: fetched by apt, unpacked, not installed.

Works without root: the lists and the packages lie in a folder of the caller's.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

NICE: Final = ("nice", "--adjustment=19")
"""Tests that run at the same time have time-outs."""

_TRIES: Final = 3
_ETC: Final = Path("/etc/apt")


class Missing(Exception):
    """Something that the corpus needs is not available on this machine; the text says what."""


class Debian:
    """apt, with all that it writes below `root`.

    Raises Missing if there is no apt or no Debian.
    """

    def __init__(self, root: Path) -> None:
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise Missing("apt-get and dpkg-deb: real files come out of Debian's packages")
        self._root = root
        for folder in ("lists/partial", "cache/archives/partial", "parts"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        stanzas = list(_with_sources())
        if not stanzas:
            raise Missing(f"a source of Debian's packages in {_ETC}")
        (root / "parts" / "debian.sources").write_text("\n\n".join(stanzas))
        (root / "apt.conf").write_text(
            f'Dir::State::lists "{root}/lists";\n'
            f'Dir::Cache "{root}/cache";\n'
            'Dir::Etc::sourcelist "/dev/null";\n'
            f'Dir::Etc::sourceparts "{root}/parts";\n'
            'APT::Sandbox::User "root";\n'
            'Acquire::Languages "none";\n'
        )
        self._apt("update", what="the lists of Debian's packages")

    def sources(self, names: Collection[str], into: Path) -> None:
        """Unpack the source of each package, as its authors released it."""
        fetched = self._fetch("source", names, "source", "--download-only", "--tar-only")
        into.mkdir(parents=True)
        archives = [path for path in fetched if re.search(r"\.orig\.tar\.\w+$", path.name)]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda path: _unpack(path, into / path.name.partition("_")[0]), archives))

    def packages(self, names: Collection[str], into: Path) -> None:
        """Unpack packages over each other, as they would be installed."""
        into.mkdir(parents=True)
        for package in self._fetch("package", names, "download"):
            _run("dpkg-deb", "-x", str(package), str(into))

    def _fetch(self, kind: str, names: Collection[str], *command: str) -> list[Path]:
        folder = self._root / kind
        folder.mkdir()
        # All in one call: apt reads its lists anew for each.
        self._apt(*command, *names, what=f"Debian's packages {' '.join(names)}", folder=folder)
        return sorted(folder.iterdir())

    def _apt(self, *arguments: str, what: str, folder: Path | None = None) -> None:
        environ = {**os.environ, "APT_CONFIG": str(self._root / "apt.conf"), "LC_ALL": "C"}
        for _ in range(_TRIES):
            result = subprocess.run(
                [*NICE, "apt-get", "--quiet", "--quiet", *arguments],
                cwd=folder or self._root, env=environ, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if result.returncode == 0:
                return
        raise Missing(f"{what}: {result.stderr.strip()[-400:]}")


def _with_sources() -> Iterator[str]:
    """The machine's own sources of its release, in deb822's form, with sources as well."""
    release = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE)
    if found is None:
        return
    for path in sorted((_ETC / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            if re.search(rf"^Suites:.*\b{found[1]}", stanza, re.MULTILINE):
                yield re.sub(r"(?m)^Types:.*$", "Types: deb deb-src", stanza).strip()
    for path in (_ETC / "sources.list", *sorted((_ETC / "sources.list.d").glob("*.list"))):
        for line in path.read_text().splitlines() if path.exists() else ():
            words = re.match(rf"deb\s+(\[.*?\]\s+)?(\S+)\s+({found[1]}\S*)\s+(.+)", line)
            if words is not None:
                signed = re.search(r"signed-by=(\S+?)[\s\]]", words[1] or "")
                by = f"\nSigned-By: {signed[1]}" if signed else ""
                yield (
                    f"Types: deb deb-src\nURIs: {words[2]}\nSuites: {words[3]}\n"
                    f"Components: {words[4]}{by}"
                )


def _unpack(archive: Path, into: Path) -> None:
    into.mkdir()
    _run("tar", "-xf", str(archive), "-C", str(into), "--no-same-owner")


def _run(*command: str) -> None:
    subprocess.run([*NICE, *command], check=True, stdout=subprocess.DEVNULL)
