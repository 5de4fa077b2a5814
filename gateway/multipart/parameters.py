"""The `; name=value` lists of Content-Type and Content-Disposition (RFC 9110 section 5.6.6)."""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

BLANK: Final = " \t"
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

# The two loops of a quoted string cannot match the same character, so a failed match costs only
# one pass as well.
QUOTED: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_NAME: Final = re.compile(r'[^;="]*')
_REST: Final = re.compile(r"[^;]*")


class ParameterForm(Enum):
    """How a parameter's value is written."""

    TOKEN = auto()
    QUOTED = auto()
    LOOSE = auto()
    """Unquoted, with characters that ought to be quoted."""
    BROKEN = auto()
    """Empty, without a value, an unclosed quote, blanks around the `=`, or more after the quote."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its name in lower case, its value between the quotes but not unescaped."""

    name: str
    value: str
    form: ParameterForm


def split_parameters(value: str) -> tuple[str, tuple[Parameter, ...]]:
    """A header's main value in lower case, and its parameters in order. Linear in its length.

    After an unclosed quote nothing more is read.
    """
    main = _REST.match(value)
    end = main.end() if main else 0
    return value[:end].strip(BLANK).lower(), tuple(_parameters(value, end + 1))


def _parameters(text: str, position: int) -> list[Parameter]:
    found = []
    while position <= len(text):
        name_end = _end(_NAME, text, position)
        name = text[position:name_end].lstrip(BLANK).lower()
        value, form, end = _value(text, name_end)
        position = end + 1
        if name == "filename" and form is ParameterForm.BROKEN and text.startswith('="', name_end):
            # An unescaped quote: most senders mean all of it, as Tomcat and Spring read it.
            value = text[name_end + 2 : end].rstrip(BLANK).removesuffix('"')
        if name != name.rstrip(BLANK):
            name, form = name.rstrip(BLANK), ParameterForm.BROKEN
        found.append(Parameter(name, value, form))
    return found


def _value(text: str, position: int) -> tuple[str, ParameterForm, int]:
    """The value with its `=` at `position`, if there is one, and where the parameter ends."""
    if not text.startswith('="', position):
        end = _end(_REST, text, position)
        return *_unquoted(text[position:end]), end
    quoted = QUOTED.match(text, position + 1)
    if quoted is None:
        return text[position + 2 :], ParameterForm.BROKEN, len(text)
    end = _end(_REST, text, quoted.end())
    more = text[quoted.end() : end].strip(BLANK)
    return quoted[1], ParameterForm.BROKEN if more else ParameterForm.QUOTED, end


def _unquoted(text: str) -> tuple[str, ParameterForm]:
    value = text[1:].strip(BLANK)
    if not text.startswith("=") or not value or text[1] in BLANK:
        return value, ParameterForm.BROKEN
    return value, ParameterForm.TOKEN if TOKEN.fullmatch(value) else ParameterForm.LOOSE


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
