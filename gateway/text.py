"""Text from outside that may be broken, and the bytes that it stands for. Pure.

aiohttp decodes the bytes of a head that are not UTF-8 to lone surrogates (PEP 383), and JSON can
spell lone surrogates as escapes. No encoder takes them: what is kept, logged or hashed of such text
goes through here first.
"""

import hashlib
import re
from typing import Any, Final

import msgspec
from msgspec.structs import asdict, replace

_BROKEN: Final = re.compile(r"[\ud800-\udfff]")
_STANDS_FOR_BROKEN: Final = "\ufffd"


def as_received(text: str) -> bytes:
    """The bytes that were decoded to this text of a head: the exact inverse of aiohttp's parsers.

    Raises UnicodeEncodeError for a surrogate that stands for no byte; no parser makes one.
    """
    return text.encode("utf-8", "surrogateescape")


def clean(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, so that it can be encoded."""
    return text if text.isascii() else _BROKEN.sub(_STANDS_FOR_BROKEN, text)


def cleaned(value: Any) -> Any:  # noqa: ANN401 - of the kind that was given
    """The value with all text in it clean: that of structs, mappings, lists and tuples as well."""
    match value:
        case str():
            return clean(value)
        case msgspec.Struct():
            members = asdict(value)
            return replace(value, **{name: cleaned(member) for name, member in members.items()})
        case dict():
            return {cleaned(name): cleaned(member) for name, member in value.items()}
        case list():
            return [cleaned(member) for member in value]
        case tuple():
            return tuple(cleaned(member) for member in value)
    return value


def digest(text: str) -> str:
    """The SHA-256 of a text in hexadecimal digits: different texts differ, even broken ones."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
