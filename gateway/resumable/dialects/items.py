"""Structured items (RFC 9651) in the draft's headers: integers and booleans. Pure.

No library: only two kinds of items are read, and none of those written needs quoting.
"""

import re
from typing import Final

from multidict import CIMultiDictProxy

_KEY: Final = r"[a-z*][a-z0-9_\-.*]*"
_NUMBER: Final = r"-?(?:[0-9]{1,12}\.[0-9]{1,3}|[0-9]{1,15})"
_STRING: Final = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_WORD: Final = r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*"
_BYTES: Final = r":[A-Za-z0-9+/]*={0,2}:"
_DISPLAY: Final = r'%"(?:[ !#$&-~]|%[0-9a-f]{2})*"'
_BARE: Final = rf"(?:{_NUMBER}|{_STRING}|{_WORD}|{_BYTES}|\?[01]|@-?[0-9]{{1,15}}|{_DISPLAY})"
_PARAMETERS: Final = rf"(?:; *{_KEY}(?:={_BARE})?)*"
_ITEM: Final = re.compile(rf" *(?:(?P<integer>-?[0-9]{{1,15}})|\?(?P<boolean>[01])){_PARAMETERS} *")


def size(headers: CIMultiDictProxy[str], name: str) -> int | None:
    """The number of bytes in a header; None if it is missing or has another kind of value."""
    found = _item(headers, name)
    if found is None or found["integer"] is None:
        return None
    number = int(found["integer"])
    return number if number >= 0 else None


def flag(headers: CIMultiDictProxy[str], name: str) -> bool | None:
    """The boolean in a header; None if it is missing or has another kind of value."""
    found = _item(headers, name)
    if found is None or found["boolean"] is None:
        return None
    return found["boolean"] == "1"


def written(*, value: bool) -> str:
    """A boolean as an item."""
    return f"?{value:d}"


def _item(headers: CIMultiDictProxy[str], name: str) -> re.Match[str] | None:
    """The item in the only line of that name; several lines are a list, not an item."""
    values = headers.getall(name, ())
    return _ITEM.fullmatch(values[0]) if len(values) == 1 else None
