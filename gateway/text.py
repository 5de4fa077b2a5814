"""Text from outside that may contain lone surrogates, and the bytes that it stands for. Pure.

aiohttp decodes bytes of a head that are not UTF-8 to lone surrogates (PEP 383), and JSON can
contain them as escapes. No encoder accepts them, so text that is stored, logged or hashed goes
through here first.
"""

import hashlib
import re
from typing import Any, Final

import msgspec
from msgspec.structs import asdict, replace

_BROKEN: Final = re.compile(r"[\ud800-\udfff]")
_STANDS_FOR_BROKEN: Final = "\ufffd"


def as_received(text: str) -> bytes:
    """The bytes of a head that aiohttp decoded to this text: the exact inverse of its parsers.

    Raises UnicodeEncodeError for a surrogate that stands for no byte; parsers make none.
    """
    return text.encode("utf-8", "surrogateescape")


def clean(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, so that it can be encoded."""
    return text if text.isascii() else _BROKEN.sub(_STANDS_FOR_BROKEN, text)


def cleaned(value: Any) -> Any:  # noqa: ANN401 - of the kind that was given
    """The value with all of its text cleaned, also within structs, mappings, lists and tuples."""
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
