"""`deploy/examples/` has valid settings to start from, and all of them.

After a change of the settings: `UPDATE_EXAMPLES=1 pytest tests/deploy/test_examples.py`.
"""

import os
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet

from gateway.settings import TABLES, Settings, load
from tests import settings_text

EXAMPLES: Final = Path(__file__).parents[2] / "deploy" / "examples"
FULL: Final = EXAMPLES / "full.toml"
SECRETS: Final = {"GATEWAY_SECRET_KEY": Fernet.generate_key().decode()}

HEAD: Final = """\
# Every setting with its default. Remove the `#` before those that you change. What has no default
# has nothing behind its `=`. A setting is also an environment variable: GATEWAY_ and its name in
# capitals, or with _FILE at the end the name of a file that holds it: the place for secrets.
"""
HEADINGS: Final = {
    "routes": "routes: the first whose path matches wins; `*` is one path element, `**` any number",
    "webhooks": "webhooks: each is sent its messages",
}


def rendered() -> str:
    """The example of all settings, made from the model."""
    lines = [HEAD]
    for heading, settings in settings_text.sections():
        lines.append(f"\n# --- {heading} ---\n")
        for each in settings:
            lines.append(f"# {each.meaning}")
            lines.append(f"{_line(each)}\n")
    for table, heading in HEADINGS.items():
        lines.append(f"\n# --- {heading} ---\n\n#[[{table}]]")
        for each in settings_text.of_table(table):
            lines.append(f"# {each.meaning}")
            lines.append(_line(each))
    return "\n".join(lines) + "\n"


def _line(setting: settings_text.Setting) -> str:
    return f"#{setting.name} = {setting.default}".rstrip()


def _uncommented(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if re.match(r"#(\w+ =|\[\[)", line) and not line.endswith("="):
            yield line[1:]


def test_the_full_example_lists_all_settings() -> None:
    text = rendered()
    if os.environ.get("UPDATE_EXAMPLES"):
        FULL.write_text(text)
    assert FULL.read_text() == text
    for name in chain(Settings.model_fields, *(TABLES[table].model_fields for table in TABLES)):
        assert name in TABLES or f"\n#{name} =" in text


def test_the_defaults_of_the_full_example_are_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    settings, _, _ = "\n".join(_uncommented(FULL.read_text())).partition("[[routes]]")
    file.write_text(settings)
    assert len(tomllib.loads(settings)) > 40
    assert load({**SECRETS, "GATEWAY_CONFIG": str(file)}) == load(SECRETS)


def test_the_minimal_example_is_enough() -> None:
    minimal = {"GATEWAY_CONFIG": str(EXAMPLES / "minimal.toml"), **SECRETS}
    settings = load(
        {**minimal, "GATEWAY_UPSTREAM_CLIENT_SECRET": "s", "GATEWAY_S3_SECRET_ACCESS_KEY": "k"}
    )
    assert settings.hosts_files
