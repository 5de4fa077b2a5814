"""`docs/settings.md` is what the model says.

After a change of the settings: `UPDATE_EXAMPLES=1 pytest tests/test_settings_page.py`.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from gateway.settings import PREFIX
from tests import settings_text
from tests.settings_text import Setting

PAGE: Final = Path(__file__).parents[1] / "docs" / "settings.md"
START: Final = "<!-- Made from gateway/settings/model.py by tests/test_settings_page.py. -->\n"
TABLE: Final = "| setting | default | |\n| --- | --- | --- |\n"


def rendered() -> str:
    """The tables of the page."""
    parts = [START]
    for heading, settings in settings_text.sections():
        rows = [(f"{PREFIX}{each.name.upper()}", each) for each in settings]
        parts.append(f"\n## {heading[0].upper()}{heading[1:]}\n\n{TABLE}{_rows(rows)}")
    for table, heading in (("routes", "a route"), ("webhooks", "a webhook")):
        rows = [(each.name, each) for each in settings_text.of_table(table)]
        parts.append(f"\n## Options of {heading}\n\n{TABLE}{_rows(rows)}")
    return "".join(parts)


def _rows(settings: Iterable[tuple[str, Setting]]) -> str:
    return "".join(
        f"| `{name}` | {_default(each)} | {_linked(each.meaning)} |\n" for name, each in settings
    )


def _default(setting: Setting) -> str:
    if setting.name in ("secret_key", "path", "name", "url"):
        return "required"
    shown = ",".join(_plain(setting.default)).replace("{}", "")
    return f"`{shown}`" if shown else ""


def _plain(toml: str) -> Iterator[str]:
    """The values of a TOML literal, as an environment variable has them."""
    values = toml.removeprefix("[").removesuffix("]")
    for value in values.split(", ") if values else ():
        yield json.loads(value) if value.startswith('"') else value


def _linked(meaning: str) -> str:
    return re.sub(r"docs/([\w-]+\.md)", r"[\1](\1)", meaning).replace("|", "\\|")


def test_the_page_is_what_the_settings_are() -> None:
    text = PAGE.read_text()
    head, marker, _ = text.partition(START)
    assert marker
    made = head + rendered()
    if os.environ.get("UPDATE_EXAMPLES"):
        PAGE.write_text(made)
    assert PAGE.read_text() == made
