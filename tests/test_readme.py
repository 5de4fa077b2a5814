"""The README and its neighbours name what there is."""

import re
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_front_page_is_short() -> None:
    assert len(README.splitlines()) <= 120


PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
_OURS = "gateway|workers|tests|docs|deploy|locks|chaos|bench|fuzz"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target


MADE_BY_OPERATORS = {"deploy/compose/secrets"}
SETTINGS = {*Settings.model_fields, "config", "x"}
"""And X, which stands for any of them."""

NOW = [page for page in PAGES if page.name != "CHANGELOG.md"]


@pytest.mark.parametrize("page", NOW, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    for file in re.findall(rf"`((?:{_OURS})/[\w./-]+)`", text):
        assert (ROOT / file).exists() or file in MADE_BY_OPERATORS, file
    for name in re.findall(rf"`{PREFIX}([A-Z0-9_]+[A-Z0-9])`", text):
        assert {name.lower(), name.removesuffix("_FILE").lower()} & SETTINGS, name
    targets = re.findall(r"^([\w -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in re.findall(r"(?:`|\$ )make ([\w-]+)", text):
        assert target in " ".join(targets).split(), target


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name


_LIMIT = re.compile(r"(max|subject|body|head|idle|answer)_.*|upload_memory|.*_(grace|timeout|wait)")


@pytest.mark.parametrize("name", [*filter(_LIMIT.fullmatch, Settings.model_fields)])
def test_every_limit_is_explained(name: str) -> None:
    assert f"`{PREFIX}{name.upper()}`" in (ROOT / "docs" / "limits.md").read_text()


@pytest.mark.parametrize("name", main.commands)
def test_every_command_is_documented(name: str) -> None:
    assert f"| `{name}` |" in README


def test_every_threat_has_a_test() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    rows = re.findall(r"^\|(?! ---| what is at stake).*\|$", text, re.MULTILINE)
    assert rows
    for row in rows:
        tests = re.findall(r"`(tests/[\w/.]+)`", row.split("|")[-2])
        assert tests, row
        assert all((ROOT / test).is_file() for test in tests), row
