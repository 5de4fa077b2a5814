"""What once taught a fuzzer something is tried again each time, and what must hold is looked at."""

from pathlib import Path

import pytest

from fuzz import targets
from fuzz.__main__ import CORPUS, TARGETS
from fuzz.feeding import form, part
from fuzz.oracles import ORACLES

PLAIN = b"\0\0" + form(part(b"data", boundary=targets.BOUNDARY), boundary=targets.BOUNDARY)


@pytest.mark.parametrize("name", TARGETS)
def test_all_holds_of_the_corpus(name: str) -> None:
    corpus = [path for path in (CORPUS / name).iterdir() if path.is_file()]
    assert len(corpus) > 10
    for path in corpus:
        targets.TARGETS[name](path.read_bytes())


def test_there_is_a_corpus_for_each_target_and_no_other() -> None:
    assert set(TARGETS) == set(targets.TARGETS) == {path.name for path in Path(CORPUS).iterdir()}


def test_a_reader_that_sees_another_part_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    targets.scanner(PLAIN)
    monkeypatch.setitem(ORACLES, "blind", lambda _body, _boundary: [])
    with pytest.raises(AssertionError, match="blind"):
        targets.scanner(PLAIN)
