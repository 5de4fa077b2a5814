"""A part's file name as Spring 6.1 reads it, and refuses to: `ContentDisposition.parse`.

Spring's `StandardMultipartHttpServletRequest` takes a part for a file if this finds a name, even an
empty one, and for a field otherwise. Nothing of the gateway's own reading is used here.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.sandbox.failures import client_error

_BASE64_WORD: Final = re.compile(r"=\?([0-9a-zA-Z-_]+)\?B\?([+/0-9a-zA-Z]+=*)\?=")
_QUOTED_WORD: Final = re.compile(r"=\?([0-9a-zA-Z-_]+)\?Q\?([!->@-~]+)\?=")
_QUOTED_BYTE: Final = re.compile(rb"=([0-9A-Fa-f]{2})")
_BROKEN_QUOTED: Final = re.compile(r"=(?![0-9A-Fa-f]{2})..")
_ATTRIBUTE_CHARS: Final = re.compile(r"(?:[!#$&+\-.^_`|~0-9A-Za-z]|%[0-9A-Fa-f]{2})*")
_QUOTED_PAIR: Final = re.compile(r'\\(["\\])')
_TRIMMED: Final = "".join(map(chr, range(0x21)))
_CHARSETS: Final = {"utf-8": "utf-8", "iso-8859-1": "latin-1", "us-ascii": "ascii"}


def filename_of(disposition: str) -> str | None:
    """The file's name; None of a field. Raises Failure for a header that Spring does not take."""
    filename = None
    for part in _parameters(disposition):
        attribute, equals, value = part.partition("=")
        if not equals:
            raise client_error("Invalid content disposition format")
        if len(value) > 1 and value.startswith('"') and value.endswith('"'):
            value = value[1:-1]
        if attribute == "filename*":
            filename = _extended(value)
        elif attribute == "filename" and filename is None:
            filename = _plain(value)
    return filename


def _parameters(header: str) -> Iterator[str]:
    """The parts between semicolons that stand outside of quotes, but for the first one."""
    begin, quoted, escaped = header.find(";") + 1 or len(header), False, False
    for index in range(begin, len(header) + 1):
        char = header[index : index + 1] or ";"
        if char == ";" and (not quoted or index == len(header)):
            if part := header[begin:index].strip(_TRIMMED):
                yield part
            begin = index + 1
        elif char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped


def _plain(value: str) -> str:
    if value.startswith("=?"):
        if words := _BASE64_WORD.findall(value):
            return "".join(_decoded(_of_base64(text), name) for name, text in words)
        if words := _QUOTED_WORD.findall(value):
            return "".join(_decoded(_of_quoted(text), name) for name, text in words)
        return value
    return _QUOTED_PAIR.sub(r"\1", value)


def _extended(value: str) -> str:
    charset, quote, rest = value.partition("'")
    _, second_quote, encoded = rest.partition("'")
    if not (quote and second_quote):
        charset, encoded = "us-ascii", value
    elif charset.strip().lower() not in {"utf-8", "iso-8859-1"}:
        raise client_error("Charset must be UTF-8 or ISO-8859-1")
    if not _ATTRIBUTE_CHARS.fullmatch(encoded):
        raise client_error("Invalid header field parameter format (as defined in RFC 5987)")
    return _decoded(unquote_to_bytes(encoded), charset.strip())


def _of_base64(text: str) -> bytes:
    """Padding may be left out, as for Java's decoder, but must not be wrong."""
    try:
        return base64.b64decode(text if text.endswith("=") else text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise client_error("the Base64 of the file name is broken") from None


def _of_quoted(text: str) -> bytes:
    """Quoted-printable as in a header: a `_` is a blank, and a `=` near the end is itself."""
    if _BROKEN_QUOTED.search(text):
        raise client_error("Not a valid hex sequence in the file name")
    plain = text.replace("_", " ").encode("ascii")
    return _QUOTED_BYTE.sub(lambda found: bytes.fromhex(found[1].decode("ascii")), plain)


def _decoded(content: bytes, charset: str) -> str:
    try:
        return content.decode(_CHARSETS.get(charset.lower(), charset), "replace")
    except LookupError:
        raise client_error(f"the charset {charset} is unknown") from None
