"""The files of the page."""

import re
from importlib.resources import files

from gateway.server.pages import assets

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


def test_names_have_hashes_and_files_name_each_other_by_them() -> None:
    loaded = assets.load()
    assert all(re.fullmatch(r"[a-z]+\.[0-9a-f]{16}\.(css|js)", name) for name in loaded.by_name)
    everything = [loaded.page, loaded.off, *(each.body for each in loaded.by_name.values())]
    for body in everything:
        assert b'"./' not in body
        for name in re.findall(rb'"/gateway/admin/([a-z]+\.[^"]+)"', body):
            assert name.decode() in loaded.by_name


def test_all_of_it_is_small() -> None:
    loaded = assets.load()
    bodies = [loaded.page, loaded.off, *(each.body for each in loaded.by_name.values())]
    assert sum(map(len, bodies)) < MOST


def test_nothing_makes_markup_of_text_or_loads_from_elsewhere() -> None:
    for file in files("gateway.server.pages").joinpath("static").iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not [word for word in FORBIDDEN if word in text], file.name
        assert "style=" not in text
