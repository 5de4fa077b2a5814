"""What is wrong with settings: where each fault was written, and what may stand there instead."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from pydantic_core import ErrorDetails

Location = Sequence[str | int]
"""A setting, and where within its value the fault is, as pydantic names it."""

_SIZE: Final = "must be a number of bytes, or one with a unit such as 512MiB"
_URL: Final = "must be a URL that begins with http:// or https:// and names a host"
_TEXTS: Final = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "byte_size": _SIZE,
    "byte_size_unit": _SIZE,
    "dict_type": "must be a table",
    "enum": "must be {expected}",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_type": "must be a whole number",
    "ip_any_network": "must be a network such as 10.0.0.0/8",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "mapping_type": "must be a table",
    "missing": "must be set",
    "model_type": "must be a table",
    "path_type": "must be the path of a file",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be text",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
    "url_parsing": _URL,
    "url_scheme": _URL,
    "url_too_long": "must be a shorter URL",
    "url_type": _URL,
}
"""By pydantic's types of errors, in our words."""

_TABLES: Final = "must be tables that each begin with [[{}]]"

_TABLE: Final = re.compile(r"\s*\[{1,2}\s*([\w-]+)\s*\]")
_KEY: Final = re.compile(r"""\s*["']?([\w-]+)["']?\s*[.=]""")


@dataclass(frozen=True, slots=True)
class Written:
    """Where the settings that were given stand."""

    variables: Mapping[str, str]
    """What settings are called by those who set them in the environment."""

    path: str = ""
    """The configuration file, from which all others came."""

    text: str = ""
    """What it holds."""

    def place(self, location: Location) -> str:
        """How an operator finds the setting; nothing if the fault is of several."""
        if not location:
            return ""
        name, *rest = location
        within = "".join(f".{element}" for element in rest)
        if self.path and name not in self.variables:
            line = line_of(self.text, location)
            if line is not None:
                return f"{self.path}, line {line}: {name}{within}: "
        variable = self.variables.get(str(name), f"GATEWAY_{str(name).upper()}")
        return f"{variable}{within}: "


def described(fault: ErrorDetails, written: Written, known: Iterable[str]) -> str:
    """One line for one fault; `known` are the names that could stand where it is."""
    location = fault["loc"]
    if fault["type"] == "extra_forbidden":
        place = written.place(location).removesuffix(": ").rpartition(": ")[0]
        return f"{place}: {_unknown(str(location[-1]), fault.get('input'), known)}"
    words = _TEXTS.get(fault["type"])
    if location in {("routes",), ("webhooks",)}:
        words = _TABLES.format(location[0])
    context: Mapping[str, Any] = fault.get("ctx", {})
    text = words.format(**context) if words else fault["msg"].removeprefix("Value error, ")
    return written.place(location) + text


def line_of(text: str, location: Location) -> int | None:
    """The line, from 1, of a TOML text in which a setting or an entry of `[[routes]]` is given.

    None if it is written in a way that takes a parser to find.
    """
    name, *rest = location
    index = next((element for element in rest if isinstance(element, int)), 0)
    within = next((element for element in rest if isinstance(element, str)), None)
    table, count, found = None, -1, None
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            table = header[1]
            count += table == name
            if table == name and count == index:
                found = number
        elif key := _KEY.match(line):
            if table is None and key[1] == name:
                return number
            if table == name and count == index and key[1] == within:
                return number
    return found


def hint(name: str, known: Iterable[str], prefix: str = "") -> str:
    """The name that was meant, if there is one like it; it is shown behind the prefix."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"; did you mean `{prefix}{close[0]}`?" if close else ""


def _unknown(name: str, value: object, known: Iterable[str]) -> str:
    meant = hint(name, known)
    if isinstance(value, Mapping) and not meant:
        return f"unknown table [{name}]: settings belong at the top of the file, outside any table"
    return f"unknown setting `{name}`{meant}"
