"""The names that different servers read from the same Content-Disposition. Pure.

A relayed file has another name only if the upstream reports none of these. The readings are those
of Tomcat, Spring, Go, PHP, Rack, Werkzeug, python-multipart, busboy (multer) and formidable.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote, unquote_to_bytes

from gateway.multipart.encoded_words import (
    decode_charset,
    decode_each_word,
    decode_tokens,
    decode_words,
)
from gateway.multipart.parameters import TOKEN

_MOST: Final = 500
"""The most readings of one name that are collected; no real name has as many."""
_MOST_PARAMETERS: Final = 8

_PARAMETER: Final = re.compile(r"filename(\*?)[ \t]*=", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_BROWSERS_ESCAPE: Final = re.compile(r"%(22|0D|0A)")
_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_QUOTE_PAIR: Final = re.compile(r'\\(["\\])')
_BLANK: Final = re.compile(r"[ \t]")
_JAVAS_BLANKS: Final = "".join(map(chr, range(0x21)))
_BROKEN: Final = re.compile("\ufffd+")


def may_be_named(name: str, disposition: bytes) -> bool:
    """Whether a server that was sent this Content-Disposition may call the file by this name.

    Takes time linear in the header. Spellings of Unicode that look the same are equal, and so are
    runs of U+FFFD of any length: servers differ in how many broken bytes make one.
    """
    sought = _alike(name)
    return any(_alike(reading) == sought for reading in readings(disposition))


def readings(disposition: bytes) -> frozenset[str]:
    """The names in a Content-Disposition's value, read as UTF-8 and as Latin-1."""
    texts = {disposition.decode("utf-8", "replace"), disposition.decode("latin-1")}
    return _closure(value for text in texts for value in _values(text))


def readings_of_value(value: str) -> frozenset[str]:
    """The names that one value of `filename` can be read as."""
    return _closure([value])


def undo_browsers_escapes(written: str) -> str:
    """The text without `%22`, `%0D` and `%0A`, as browsers and curl encode a name in a form."""
    return _BROWSERS_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), written)


def _values(text: str) -> Iterator[str]:
    """The possible values of `filename`, or of `filename*` decoded."""
    for _, found in zip(range(_MOST_PARAMETERS), _PARAMETER.finditer(text), strict=False):
        rest = text[found.end() :]
        yield from _extended(rest) if found[1] else _plain(rest.lstrip(" \t"))
        if not found[1] and rest.startswith((" ", "\t")):
            yield _until_semicolon(rest).rstrip(_JAVAS_BLANKS)  # Spring keeps blanks before it


def _plain(rest: str) -> Iterator[str]:
    """The value at the beginning of the text: where it ends depends on its quotes."""
    if not rest.startswith('"'):
        before = rest.partition(";")[0]
        yield from (rest, before, _BLANK.split(before)[0], _token(rest))
        return
    if quoted := _QUOTED.match(rest):
        yield quoted[1]
    # An unescaped quote ends the value (PHP, Rack, Werkzeug), is part of it (Tomcat, Spring), or is
    # never closed.
    yield rest[1:].partition('"')[0]
    yield from (rest, rest[1:])
    for part in (rest, rest.partition(";")[0], _until_semicolon(rest)):
        yield part.rstrip().removesuffix('"')[1:]


def _until_semicolon(rest: str) -> str:
    """The text up to a semicolon outside of quotes, as Tomcat and Spring find it."""
    quoted = escaped = False
    for index, char in enumerate(rest):
        if char == ";" and not quoted:
            return rest[:index]
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
    return rest


def _extended(rest: str) -> Iterator[str]:
    value = rest.partition(";")[0].strip()
    unquoted = value.removeprefix('"').removesuffix('"')
    for read in {unquoted, _token(unquoted)}:
        yield read
        charset, _, tail = read.partition("'")
        encoded = tail.partition("'")[2]
        for label in (charset.strip(), "utf-8", "latin-1"):
            decoded = decode_charset(unquote_to_bytes(encoded), label, "replace")
            if decoded is not None:
                yield decoded


def _token(text: str) -> str:
    """The token at the beginning of the text: Werkzeug reads no more of a value without quotes."""
    found = TOKEN.match(text)
    return found[0] if found else ""


def _closure(values: Iterable[str]) -> frozenset[str]:
    """The values, and all results of decoding them in the ways of servers, in any combination."""
    found: set[str] = set()
    waiting = list(dict.fromkeys(values))
    while waiting and len(found) < _MOST:
        value = waiting.pop(0)
        if value not in found:
            found.add(value)
            waiting += _read(value)
    return frozenset(found)


def _read(value: str) -> Iterator[str]:
    yield value.strip()
    yield value.strip(_JAVAS_BLANKS)
    if "%" in value:
        yield undo_browsers_escapes(value)
        yield unquote(value)
        yield unquote(value, "latin-1")
    if "\\" in value:
        yield _QUOTE_PAIR.sub(r"\1", value)
        yield _PAIR.sub(r"\1", value)
        yield value.replace("\\\\", "\\").replace('\\"', '"')  # python-multipart, in two steps
        yield value.rpartition("\\")[2]
    if "/" in value:
        yield value.rpartition("/")[2]
    if '"' in value:
        yield value.partition('"')[0]
    if value.startswith('"'):
        # Tomcat removes quotes once more.
        yield value[1:-1]
    if "=?" in value:
        # Spring reads only the words, Tomcat each word without the text that is attached to it.
        words = decode_each_word(value)
        yield from filter(None, (decode_words(value), "".join(words), decode_tokens(value)))
        # Spring reads only those in Base64 if there are any, and only capital letters.
        yield from ("".join(decode_each_word(value, kind)) for kind in "BQ")


def _alike(name: str) -> str:
    return _BROKEN.sub("\ufffd", unicodedata.normalize("NFC", name))
