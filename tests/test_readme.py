"""The README names what there is."""

from pathlib import Path

import pytest

from gateway.cli import main
from gateway.settings import PREFIX, RouteSettings, Settings

README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name != "routes"])
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{PREFIX}{name.upper()}`" in README


@pytest.mark.parametrize("name", RouteSettings.model_fields)
def test_every_option_of_a_route_is_documented(name: str) -> None:
    assert f"| `{name}` |" in README


@pytest.mark.parametrize("name", main.commands)
def test_every_command_is_documented(name: str) -> None:
    assert f"| `{name}` |" in README
