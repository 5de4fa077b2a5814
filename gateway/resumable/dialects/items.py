"""Structured fields (RFC 9651) that are read: integers, booleans, and bytes in dictionaries. Pure.

No library: only three kinds of items are read, and none of those written needs quoting.
"""

import re
from base64 import b64decode
from binascii import Error
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
_INNER: Final = rf"\( *(?:{_BARE}{_PARAMETERS}(?: +{_BARE}{_PARAMETERS})*)? *\)"
_MEMBER: Final = re.compile(
    rf"(?P<key>{_KEY})(?:=(?:(?P<bytes>{_BYTES})|{_BARE}|{_INNER}))?{_PARAMETERS}[ \t]*"
)
_COMMA: Final = re.compile(r",[ \t]*")


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


def dictionary(headers: CIMultiDictProxy[str], name: str) -> dict[str, bytes | None] | None:
    """The members of a field, those that are bytes with their values; None if it is malformed.

    Several lines of that name are one dictionary, and of members with one key the last counts.
    """
    text = ", ".join(headers.getall(name, ())).strip(" ")
    members: dict[str, bytes | None] = {}
    at = 0
    while at < len(text):
        if members:
            comma = _COMMA.match(text, at)
            if comma is None or comma.end() == len(text):
                return None
            at = comma.end()
        member = _MEMBER.match(text, at)
        if member is None:
            return None
        try:
            members[member["key"]] = _decoded(member["bytes"])
        except Error:
            return None
        at = member.end()
    return members


def _decoded(written: str | None) -> bytes | None:
    """Bytes as they are written in a field; padding may be missing (RFC 9651 section 4.2.7)."""
    if written is None:
        return None
    text = written.strip(":").rstrip("=")
    return b64decode(text + "=" * (-len(text) % 4))


def written(*, value: bool) -> str:
    """A boolean as an item."""
    return f"?{value:d}"


def _item(headers: CIMultiDictProxy[str], name: str) -> re.Match[str] | None:
    """The item in the only line of that name; several lines are a list, not an item."""
    values = headers.getall(name, ())
    return _ITEM.fullmatch(values[0]) if len(values) == 1 else None
