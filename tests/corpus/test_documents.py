"""None of thousands of documents and sources from Debian and Python is mistaken for a program."""

import os
import sysconfig
from pathlib import Path
from random import Random

import pytest

from gateway.uploads.policy import Rejected, judge
from gateway.uploads.record import Terms
from tests.corpus.looking import hosted
from tests.corpus.pick import PROGRAMS, starts_a_program
from tests.corpus.prepare import Corpus
from workers.sniff import Sniffer

# The corpus may have to be made first.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

LEAST = int(os.environ.get("CORPUS_DOCUMENTS", "500"))
MOST_BYTES = 2_000_000
COMPILED = frozenset({"a", "bat", "cmd", "dylib", "o", "pyc", "pyd", "so"})


async def test_no_document_or_source_is_denied(corpus: Corpus, sniffer: Sniffer) -> None:
    denied: list[str] = []
    for path in documents(corpus):
        data = path.read_bytes()
        verdict = judge(Terms(), await hosted(sniffer, data), None)
        if isinstance(verdict, Rejected) and verdict.slug == "denied-type":
            denied.append(f"{path}: {verdict.detail}")
    assert denied == [], "\n".join([f"{len(denied)} denied", *denied])


def documents(corpus: Corpus) -> list[Path]:
    """Files of Debian, of Python's library and of the makers' packages, without the programs."""
    library = Path(sysconfig.get_path("stdlib"))
    of_debian = found_in(corpus.sources, corpus.installed)
    of_python = found_in(library, corpus.environment)
    # The same ones each time, of all folders.
    chance = Random(18)
    return sorted([*chance.sample(of_debian, LEAST), *chance.sample(of_python, LEAST // 10)])


def found_in(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.rglob("*")) if is_document(path)]


def is_document(path: Path) -> bool:
    extension = path.suffix[1:].lower()
    return (
        extension not in PROGRAMS | COMPILED
        and ".so." not in path.name
        and path.is_file()
        and not path.is_symlink()
        and 0 < path.stat().st_size <= MOST_BYTES
        and not starts_a_program(path)
    )
