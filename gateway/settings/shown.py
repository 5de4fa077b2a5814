"""The settings in force, as operators may read them: without secrets, with their sources. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ByteSize, SecretStr

from gateway.hiding import HIDDEN, without_secrets
from gateway.settings.faults import Location, line_of
from gateway.settings.model import TABLES, Settings
from gateway.settings.sources import PREFIX, Given

_ADDRESSES: Final = {"broker_url"}
"""Secrets that are URLs, of which only a part is secret."""

_FILE: Final = "_FILE"
_UNITS: Final = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
"""A value as JSON has it."""


class Source(StrEnum):
    """Where the value of a setting comes from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting in force; `where` is its variable, its file or its line, if it has any."""

    name: str
    value: Value
    text: str
    source: Source
    where: str = ""

    def members(self) -> dict[str, Value]:
        """The members for programs."""
        return {
            "name": self.name,
            "value": self.value,
            "source": self.source.value,
            "where": self.where or None,
        }


def in_force(settings: Settings, given: Given, environ: Mapping[str, str]) -> Iterator[Shown]:
    """Every setting, in the order of the documentation, then the options of every table."""
    for name in Settings.model_fields:
        if name not in TABLES:
            value = getattr(settings, name)
            source, where = _source(name, given, environ)
            yield Shown(
                PREFIX + name.upper(), _json(name, value), _text(name, value), source, where
            )
    for table in TABLES:
        for index, entry in enumerate(getattr(settings, table)):
            yield from _of_entry(table, index, entry, given)


def _of_entry(table: str, index: int, entry: BaseModel, given: Given) -> Iterator[Shown]:
    for name in type(entry).model_fields:
        source, where = _in_file((table, index, name), given)
        value = getattr(entry, name)
        if name not in entry.model_fields_set:
            source, where = Source.DEFAULT, ""
        yield Shown(
            f"{table}[{index}].{name}", _json(name, value), _text(name, value), source, where
        )


def lines(shown: Sequence[Shown]) -> Iterator[str]:
    """A table, which is empty without settings."""
    if not shown:
        return
    rows = [("SETTING", "VALUE", "FROM")]
    rows += [(each.name, each.text or "-", _from(each)) for each in shown]
    names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    widest = min(values, 60)
    for name, value, source in rows:
        yield f"{name:{names}}  {value:{widest}}  {source}"


def _from(shown: Shown) -> str:
    return f"{shown.source}: {shown.where}" if shown.where else shown.source


def _source(name: str, given: Given, environ: Mapping[str, str]) -> tuple[Source, str]:
    variable = given.written.variables.get(name)
    if variable is not None and variable.endswith(_FILE) and variable != PREFIX + name.upper():
        return Source.FILE, f"{environ[variable]} ({variable})"
    if variable is not None:
        return Source.ENVIRONMENT, variable
    if name in given.values:
        return _in_file((name,), given)
    return Source.DEFAULT, ""


def _in_file(location: Location, given: Given) -> tuple[Source, str]:
    line = line_of(given.written.text, location)
    return Source.FILE, given.written.path + (f", line {line}" if line is not None else "")


def _json(name: str, value: object) -> Value:
    match value:
        case None | bool() | float():
            return value
        case int():
            return int(value)  # a size is one as well
        case tuple():
            return [_json(name, each) for each in value]
        case Mapping() if name == "auth_static_tokens":
            return {_plain(name, subject): HIDDEN for subject in value.values()}
        case Mapping():
            return {_plain(name, key): _json(name, each) for key, each in value.items()}
        case _:
            return _plain(name, value)


def _text(name: str, value: object) -> str:
    """The value as its variable would have it."""
    return _size(value) if isinstance(value, ByteSize) else _written(_json(name, value))


def _written(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:g}" if value < 1e6 else str(int(value))
        case list():
            return ",".join(map(_written, value))
        case dict():
            return ",".join(f"{key}:{_written(each)}" for key, each in value.items())
        case _:
            return value


def _plain(name: str, value: object) -> str:
    if not isinstance(value, SecretStr):
        return without_secrets(str(value))
    return without_secrets(value.get_secret_value()) if name in _ADDRESSES else HIDDEN


def _size(value: int) -> str:
    for unit, size in _UNITS:
        if value and value % size == 0:
            return f"{value // size}{unit}"
    return str(value)
