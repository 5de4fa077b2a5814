"""`deploy/examples/`: settings to start from, which are settings, and all of them.

After a change of the settings: `UPDATE_EXAMPLES=1 pytest tests/deploy/test_examples.py`.
"""

import ast
import inspect
import json
import os
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet
from pydantic import ByteSize
from pydantic_core import PydanticUndefined

from gateway.settings import RouteSettings, Settings, load, model

EXAMPLES: Final = Path(__file__).parents[2] / "deploy" / "examples"
FULL: Final = EXAMPLES / "full.toml"
SECRETS: Final = {"GATEWAY_SECRET_KEY": Fernet.generate_key().decode()}

HEAD: Final = """\
# Every setting with its default. Remove the `#` before those that you change. What has no default
# has nothing behind its `=`. A setting is also an environment variable: GATEWAY_ and its name in
# capitals, or with _FILE at the end the name of a file that holds it: the place for secrets.
"""
ROUTES: Final = """
# --- routes: the first whose path matches wins; `*` is one path element, `**` any number ---
"""


def rendered() -> str:
    """The example of all settings, from what the model says of them."""
    source = inspect.getsource(model)
    settings = source.partition("class Settings")[2]
    sections = re.findall(r"^    # --- (.*?) -*$|^    (\w+):", settings, re.MULTILINE)
    meanings = _docstrings(source)
    lines = [HEAD]
    for section, name in sections:
        if section:
            lines.append(f"\n# --- {section} ---\n")
        elif name in Settings.model_fields and name != "routes":
            lines.append(f"# {meanings['Settings', name]}")
            lines.append(f"#{name} = {_default(Settings, name)}\n".replace(" = \n", " =\n"))
    lines.append(f"{ROUTES}\n#[[routes]]")
    for name in RouteSettings.model_fields:
        lines.append(f"# {meanings['RouteSettings', name]}")
        lines.append(f"#{name} = {_default(RouteSettings, name)}".rstrip())
    return "\n".join(lines) + "\n"


def _docstrings(source: str) -> dict[tuple[str, str], str]:
    """What stands below each field of each class."""
    return {
        (scope.name, field.target.id): " ".join(text.value.value.split())
        for scope in ast.parse(source).body
        if isinstance(scope, ast.ClassDef)
        for field, text in zip(scope.body, scope.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _default(scope: type[Settings | RouteSettings], name: str) -> str:
    value = scope.model_fields[name].default
    if value is None or value is PydanticUndefined:
        return ""
    return _toml(value)


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case ByteSize():
            return _size(value)
        case int() | float():
            return f"{value:g}" if value < 1e6 else str(int(value))
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return "{}" if value == {} else json.dumps(str(value).removesuffix("/"))


def _size(value: int) -> str:
    for unit, size in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if value and value % size == 0:
            return json.dumps(f"{value // size}{unit}")
    return str(value)


def _uncommented(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if re.match(r"#(\w+ =|\[\[)", line) and not line.endswith("="):
            yield line[1:]


def test_the_full_example_is_what_the_settings_are() -> None:
    text = rendered()
    if os.environ.get("UPDATE_EXAMPLES"):
        FULL.write_text(text)
    assert FULL.read_text() == text
    for name in chain(Settings.model_fields, RouteSettings.model_fields):
        assert name == "routes" or f"\n#{name} =" in text


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
