"""What a tus client says about its file: the Upload-Metadata of a creation. Pure.

Clients add keys of their own (Uppy sends `relativePath`), which are ignored.
"""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from multidict import CIMultiDictProxy

from gateway.errors import MalformedRequest
from gateway.upstream.reference import is_documented

_FIELD: Final = "Upload-Metadata"
_NAMES: Final = ("filename", "name")
_TYPES: Final = ("filetype", "type")
_PAIR: Final = re.compile(r"([!-+\--~]+)(?: ([!-+\--~]*))?")
_TYPE: Final = re.compile(r"[ -~]+")


@dataclass(frozen=True, slots=True)
class Metadata:
    """`written` is the unchanged header, None without one; `fields` are parts next to the file."""

    name: str | None
    type: str | None
    fields: tuple[tuple[str, str], ...]
    written: str | None


def read_metadata(headers: CIMultiDictProxy[str]) -> Metadata:
    """The file's name and type, and the parts next to it that ChatKitty documents.

    Raises MalformedRequest if the header breaks the grammar, or if a known key is repeated or is
    not UTF-8 in Base64.
    """
    values = headers.getall(_FIELD, ())
    written = ",".join(values) if values else None
    known: dict[str, str] = {}
    for key, value in _pairs(written or ""):
        if key in known:
            raise MalformedRequest(f"{_FIELD} has the key {key} twice")
        known[key] = value
    kind = next((known[key] for key in _TYPES if known.get(key)), "")
    return Metadata(
        name=next((known[key] for key in _NAMES if known.get(key)), None),
        type=kind if _TYPE.fullmatch(kind) else None,
        fields=tuple((key, value) for key, value in known.items() if is_documented(key)),
        written=written,
    )


def _pairs(written: str) -> Iterator[tuple[str, str]]:
    """The pairs with known keys, decoded."""
    for text in written.split(",") if written.strip() else ():
        pair = _PAIR.fullmatch(text.strip(" "))
        if pair is None:
            raise MalformedRequest(f"{_FIELD} must be keys with values in Base64")
        key, value = pair[1], pair[2] or ""
        if key in _NAMES or key in _TYPES or is_documented(key):
            yield key, _decoded(key, value)


def _decoded(key: str, value: str) -> str:
    try:
        return b64decode(value, validate=True).decode()
    except (Error, UnicodeDecodeError):
        raise MalformedRequest(
            f"the value of {key} in {_FIELD} must be UTF-8 text in Base64"
        ) from None
