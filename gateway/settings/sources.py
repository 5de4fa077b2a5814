"""Where settings come from, and what is said of those that are wrong."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.errors import ConfigurationError
from gateway.settings.model import Settings

PREFIX = "GATEWAY_"


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from their sources.

    Raises ConfigurationError with one line for each fault.
    """
    values = _from_file(environ.get("GATEWAY_CONFIG"))
    for name in Settings.model_fields:
        if name != "routes" and (text := _from_environment(environ, name)) is not None:
            values[name] = text
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_fault_lines(error))) from None


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """The `GATEWAY_*` variables that mean nothing here: misspelt, or somebody else's."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {"GATEWAY_CONFIG"}
    known |= {f"{name}_FILE" for name in known}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def _from_environment(environ: Mapping[str, str], name: str) -> str | None:
    variable = PREFIX + name.upper()
    if environ.get(variable, "").strip():
        return environ[variable].strip()
    if not (file := environ.get(f"{variable}_FILE")):
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{variable}_FILE: cannot read {file}: {error}") from None


def _from_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"GATEWAY_CONFIG: cannot read {path}: {error}") from None


def _fault_lines(error: ValidationError) -> list[str]:
    """One line a fault, led by the environment variable that mends it."""
    lines = []
    for fault in error.errors(include_input=False, include_url=False):
        head, *rest = [str(element) for element in fault["loc"]] or [""]
        name = PREFIX + head.upper() if head else "settings"
        if rest:
            name += "." + ".".join(rest)
        lines.append(f"{name}: {fault['msg'].removeprefix('Value error, ')}")
    return lines
