"""Which files of the corpus are honest, and which are programs."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.corpus import declared
from tests.corpus.prepare import Corpus

EACH: Final = 8
"""The number of files of one extension that one package contributes."""

SOME: Final = 2
"""The number of made files of one extension that are uploaded."""

_FOLDERS: Final = {
    "eyed3": "*/tests/**/*",
    "file": "*/tests/*.testfile",
    "golang-github-gabriel-vasile-mimetype": "*/testdata/**/*",
    "libapache-poi-java": "*/test-data/**/*",
    "libextractor": "*/src/plugins/testdata/*",
    "libheif": "*/**/*.hei[cf]",
    "libimage-exiftool-perl": "*/t/images/*",
    "pillow": "*/Tests/**/*",
    "shared-mime-info": "*/tests/mime-detection/*",
    "taglib": "*/tests/data/*",
    "unrtf": "*/tests/**/*.rtf",
}

_BROKEN: Final = re.compile(
    r"crash|timeout|oom-|broken|fuzz|invalid|corrupt|bad|overrun|overflow|segfault|infloop|trunc"
    r"|garbage|negative|fli_oob|unexpected|unknown|excessive|zerodiv|is-really|CVE|Bomb|lolz",
    re.IGNORECASE,
)
"""Files that their authors made so that readers refuse them."""

PROGRAMS: Final = frozenset(
    {"appimage", "apk", "class", "deb", "dll", "exe", "jar", "lnk", "msi", "rpm", "so", "wasm",
     "xar", "xpi"}
)  # fmt: skip

_NOT_WHAT_THEY_ARE_CALLED: Final = {
    # of Pillow's bitmap fonts, stored as PNG
    "10x20.pbm", "courB08.pbm", "ter-x20b-cp1250.pbm", "ter-x20b-iso8859-1.pbm",
    "ter-x20b-iso8859-2.pbm",
    "attachment.tif",  # a JPEG
    "SimpleEMF_mac.emf",  # a PDF
    "test.dot",  # of Graphviz, where all others are Word's
    "test_apple_systemprofiler.spx",  # XML, where all others are Speex
    "cpansearch.perl.org_src_tobyink_acme-rundoc-0.001_word-lib_hello_world.docm",  # a .doc
    "virtual-boy-wario-land.vb",  # a game, where all others are Visual Basic
    "test.key",  # the first 512 bytes of one
    # edited by hand: local headers with an extra of one byte, which libarchive refuses
    "ContentTypeHasEntities.ooxml", "CorePropertiesHasEntities.ooxml",
    "PackageRelsHasEntities.ooxml",
}  # fmt: skip


@dataclass(frozen=True)
class Specimen:
    """One file; `extension` in lower case, without the dot."""

    path: Path
    origin: str
    extension: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.path.name}"


_MARKS: Final = (
    b"\x7fELF", b"<?php", b"!<arch>\ndebian", b"\xed\xab\xee\xdb",
    b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce",
    b"\xca\xfe\xba\xbe",
)  # fmt: skip
"""ELF, PHP, Debian's and RPM's packages, Mach-O and classes."""


def honest(corpus: Corpus) -> list[Specimen]:
    """Files with nothing wrong about them: some of each extension and package, all made ones."""
    picked: dict[tuple[str, str], list[Specimen]] = defaultdict(list)
    for specimen in _shipped(corpus):
        name = specimen.path.name
        if (
            specimen.extension not in PROGRAMS
            and not _BROKEN.search(str(specimen.path.relative_to(corpus.sources)))
            and name not in _NOT_WHAT_THEY_ARE_CALLED
            and not starts_a_program(specimen.path)
        ):
            picked[specimen.origin, specimen.extension].append(specimen)
    chosen = [one for group in picked.values() for one in sorted(group, key=_chance)[:EACH]]
    made = [
        Specimen(path, path.parent.name, _extension(path))
        for path in sorted(corpus.made.rglob("*"))
        if path.is_file()
    ]
    return [*chosen, *made]


def few(corpus: Corpus) -> list[Specimen]:
    """Some of the honest made files of each family, and one of each other extension."""
    found: dict[tuple[str, str], list[Specimen]] = defaultdict(list)
    for specimen in honest(corpus):
        made = specimen.path.is_relative_to(corpus.made)
        found[specimen.origin if made else "", specimen.extension].append(specimen)
    return [
        specimen
        for (family, extension), group in found.items()
        if family or extension in declared.table()
        for specimen in sorted(group, key=_chance)[: SOME if family else 1]
    ]


def programs(corpus: Corpus) -> list[Specimen]:
    """What is a program by its name and by its first bytes."""
    return [one for one in _shipped(corpus) if one.extension in PROGRAMS]


def starts_a_program(path: Path) -> bool:
    """Whether a kernel or an interpreter would run it, decided without our own signatures."""
    with path.open("rb") as file:
        head = file.read(4096).removeprefix(b"\xef\xbb\xbf")
    return (
        head.startswith(_MARKS)
        or (head.startswith(b"MZ") and b"PE\0\0" in head)
        or re.match(rb"#![ \t]*/", head) is not None
        or re.match(rb"@echo off\b", head, re.IGNORECASE) is not None
    )


def _shipped(corpus: Corpus) -> Iterator[Specimen]:
    for package, pattern in _FOLDERS.items():
        for path in sorted((corpus.sources / package).glob(pattern)):
            if path.is_file() and not path.is_symlink() and path.stat().st_size:
                yield Specimen(path, package, _extension(path))


def _extension(path: Path) -> str:
    return path.suffix[1:].lower()


def _chance(specimen: Specimen) -> str:
    return hashlib.sha256(specimen.path.name.encode()).hexdigest()
