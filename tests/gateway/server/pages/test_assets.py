"""The files of the pages."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import pytest

from gateway.server.pages import assets, installation, trial

MOST = 60_000
FORBIDDEN = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "eval(",
    "http://",
    "https://",
)
Files = tuple[str, tuple[str, ...], tuple[str, ...]]
SETS: Final[Mapping[str, Files]] = {
    "operator's": (installation.PREFIX, installation.PAGES, installation.LOADED),
    "trial": (trial.PREFIX, trial.PAGES, trial.LOADED),
}


@pytest.mark.parametrize("of", SETS.values(), ids=SETS)
def test_names_have_hashes_and_files_name_each_other_by_them(of: Files) -> None:
    loaded = assets.load(*of)
    assert all(re.fullmatch(r"[a-z]+\.[0-9a-f]{16}\.(css|js)", name) for name in loaded.by_name)
    named = set()
    for body in (*loaded.pages.values(), *(each.body for each in loaded.by_name.values())):
        assert b'"./' not in body
        found = re.findall(rb'"' + of[0].encode() + rb'([a-z]+\.[^"]+)"', body)
        named |= {name.decode() for name in found}
    assert named == set(loaded.by_name)


def test_all_of_it_is_small() -> None:
    there = [*files("gateway.server.pages").joinpath("static").iterdir()]
    assert sum(len(file.read_bytes()) for file in there) < MOST
    used = {name for _, pages, loaded in SETS.values() for name in (*pages, *loaded)}
    assert used == {file.name for file in there}


def test_nothing_makes_markup_of_text_or_loads_from_elsewhere() -> None:
    for file in files("gateway.server.pages").joinpath("static").iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not [word for word in FORBIDDEN if word in text], file.name
        assert "style=" not in text
