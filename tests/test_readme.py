"""The README and its neighbours name what there is."""

import re
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.settings import PREFIX, RouteSettings, Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name != "routes"])
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{PREFIX}{name.upper()}`" in README


_LIMIT = re.compile(r"(max|subject|body|head|idle|answer)_.*|upload_memory|.*_(grace|timeout|wait)")


@pytest.mark.parametrize("name", [*filter(_LIMIT.fullmatch, Settings.model_fields)])
def test_every_limit_is_explained(name: str) -> None:
    assert f"`{PREFIX}{name.upper()}`" in (ROOT / "docs" / "limits.md").read_text()


@pytest.mark.parametrize("name", RouteSettings.model_fields)
def test_every_option_of_a_route_is_documented(name: str) -> None:
    assert f"| `{name}` |" in README


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
