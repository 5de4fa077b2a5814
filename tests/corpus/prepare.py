"""Makes the corpus, once for each version of its makers, under the checkout."""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uv

from tests.corpus.debian import NICE, Debian, Missing

HERE: Final = Path(__file__).parent
MAKERS: Final = HERE / "makers"
CACHE: Final = HERE.parents[1] / "var" / "corpus"

SOURCES: Final = (
    "epubcheck",
    "eyed3",
    "file",
    "golang-github-gabriel-vasile-mimetype",
    "hachoir",
    "libapache-poi-java",
    "libextractor",
    "libheif",
    "libimage-exiftool-perl",
    "pillow",
    "shared-mime-info",
    "taglib",
    "unrtf",
)
"""Sources, and tests with real files of thousands of programs and cameras."""

PROGRAMS: Final = (
    "7zip", "libacl1", "libarchive13", "libarchive-tools", "libhogweed6", "liblz4-1", "libnettle8",
    "libxml2", "libzstd1", "p7zip-full", "zip",
)  # fmt: skip
"""Writers of archives, and the libraries that they load."""


DOCUMENTED: Final = (
    "golang-1.19-src", "libpython3.11-testsuite", "libruby3.1", "perl-modules-5.36", "vim-runtime",
)  # fmt: skip
"""Sources, manuals and test data in many languages."""


@dataclass(frozen=True)
class Corpus:
    """Where the files lie."""

    sources: Path
    """The sources of Debian's packages, by the package's name."""
    installed: Path
    """Debian's packages, as they would be installed over each other."""
    made: Path
    """What the makers made, by family."""
    environment: Path
    """The makers' Python, with what its packages ship."""


def prepare() -> Corpus:
    """Fetch and make the corpus unless it is there.

    Raises Missing where a part of it cannot be had on this machine.
    """
    root = CACHE / _digest()
    corpus = Corpus(root / "sources", root / "installed", root / "made", root / "environment")
    done = root / ".done"
    with _only_one(CACHE):
        if not done.exists():
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir(parents=True)
            _make(root, corpus)
            done.touch()
    return corpus


def _make(root: Path, corpus: Corpus) -> None:
    debian = Debian(root / "debian")
    with ThreadPoolExecutor(3) as pool:
        fetched = pool.submit(debian.sources, SOURCES, corpus.sources)
        installed = pool.submit(_install, corpus.environment)
        debian.packages((*PROGRAMS, *DOCUMENTED), corpus.installed)
        interpreter = installed.result()
        command = [*NICE, str(interpreter), str(MAKERS), str(corpus.made), str(corpus.installed)]
        made = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
        if made.returncode != 0:
            raise Missing(f"what the makers make: {made.stderr[-2000:]}")
        fetched.result()
    shutil.rmtree(root / "debian")


def _install(environment: Path) -> Path:
    interpreter = environment / "bin" / "python"
    requirements = str(MAKERS / "requirements.txt")
    for arguments in (
        ("venv", str(environment)),
        ("pip", "install", "--python", str(interpreter), "--require-hashes", "-r", requirements),
    ):
        done = subprocess.run(
            [*NICE, uv.find_uv_bin(), *arguments, "--quiet"],
            check=False, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            raise Missing(f"the makers' packages: {done.stderr[-2000:]}")
    return interpreter


def _digest() -> str:
    made_by = [HERE / "debian.py", Path(__file__), *sorted(MAKERS.glob("*.*"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in made_by)).hexdigest()[:16]


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Test processes that start together make it one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
