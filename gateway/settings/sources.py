"""Where settings come from, and the messages about wrong ones."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from gateway.errors import ConfigurationError
from gateway.settings.faults import Location, Written, described, hint
from gateway.settings.model import TABLES, Settings

PREFIX = "GATEWAY_"

_IN_FILE = "; {} belong in the file that GATEWAY_CONFIG names"


@dataclass(frozen=True, slots=True)
class Given:
    """The settings that were given, before they are validated, and where they stand."""

    values: Mapping[str, Any] = field(repr=False)
    written: Written

    def validated(self) -> Settings:
        """The settings. Raises ConfigurationError with one line for each fault."""
        try:
            return Settings.model_validate(self.values)
        except ValidationError as error:
            raise ConfigurationError("\n".join(_fault_lines(error, self.written))) from None


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from their sources.

    Raises ConfigurationError with one line for each fault.
    """
    return read(environ).validated()


def read(environ: Mapping[str, str]) -> Given:
    """What the sources give. Raises ConfigurationError if a file cannot be read."""
    path = environ.get("GATEWAY_CONFIG", "")
    text, values = _from_file(path)
    variables = {}
    for name in Settings.model_fields:
        if name not in TABLES and (found := _from_environment(environ, name)) is not None:
            variables[name], values[name] = found
    return Given(values, Written(variables, path, text))


def unknown_names(environ: Mapping[str, str]) -> dict[str, str]:
    """The `GATEWAY_*` variables that mean nothing here, each with what it may have meant."""
    settings = {name.upper() for name in Settings.model_fields if name not in TABLES}
    known = settings | {f"{name}_FILE" for name in settings} | {"CONFIG"}
    names = [name.removeprefix(PREFIX) for name in environ if name.startswith(PREFIX)]
    return {
        PREFIX + name: (
            _IN_FILE.format(name.lower()) if name.lower() in TABLES else hint(name, known, PREFIX)
        )
        for name in sorted({*names} - known)
    }


def _from_environment(environ: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """What the setting was called there, and its text."""
    variable = PREFIX + name.upper()
    if environ.get(variable, "").strip():
        return variable, environ[variable].strip()
    if not (file := environ.get(f"{variable}_FILE")):
        return None
    try:
        return f"{variable}_FILE", Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{variable}_FILE: cannot read {file}: {error}") from None


def _from_file(path: str) -> tuple[str, dict[str, Any]]:
    if not path:
        return "", {}
    try:
        text = Path(path).read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"GATEWAY_CONFIG: cannot read {path}: {error}") from None


def _fault_lines(error: ValidationError, written: Written) -> list[str]:
    return [
        described(fault, written, _scope_of(fault["loc"]).model_fields)
        for fault in error.errors(include_url=False)
    ]


def _scope_of(location: Location) -> type[BaseModel]:
    """The model that a fault is in."""
    return TABLES.get(str(location[0]), Settings) if len(location) > 1 else Settings
