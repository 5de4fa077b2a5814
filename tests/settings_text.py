"""What the model says of each setting, for the documents that are made from it."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ByteSize
from pydantic_core import PydanticUndefined

from gateway.settings import TABLES, Settings, model, webhooks


@dataclass(frozen=True)
class Setting:
    """A field of the model; its default as TOML writes it, empty if it has none."""

    name: str
    default: str
    meaning: str


def sections() -> Iterator[tuple[str, list[Setting]]]:
    """The settings below each heading of the model, without the tables."""
    settings = _SOURCE.partition("class Settings")[2]
    _, *parts = re.split(r"^    # --- (.*?) -*$", settings, flags=re.MULTILINE)
    for heading, fields in zip(parts[::2], parts[1::2], strict=True):
        names = re.findall(r"^    (\w+):", fields, re.MULTILINE)
        yield heading, [_setting(Settings, name) for name in names if name not in TABLES]


def of_table(table: str) -> list[Setting]:
    """The options of an entry of a table."""
    scope = TABLES[table]
    return [_setting(scope, name) for name in scope.model_fields]


def _setting(scope: type[BaseModel], name: str) -> Setting:
    return Setting(name, _default(scope, name), _MEANINGS[scope.__name__, name])


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


def _default(scope: type[BaseModel], name: str) -> str:
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


_SOURCE: Final = inspect.getsource(model)
_MEANINGS: Final = {**_docstrings(_SOURCE), **_docstrings(inspect.getsource(webhooks))}
