"""The user's name of a file, by the parameters `filename` and `filename*` of its part. Pure.

Sources: the WHATWG HTML standard's form encoding, RFC 9110 section 5.6.4 (quoted pairs), RFC 2047
(encoded words), RFC 8187 (`filename*`).
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote_to_bytes

import msgspec

from gateway.multipart.ambiguity import Ambiguity
from gateway.multipart.encoded_words import decode_words, has_encoded_word
from gateway.multipart.readings import readings_of_value, undo_browsers_escapes

_PAIR: Final = re.compile(r'\\(["\\ \t])')
_QUOTE_PAIR: Final = re.compile(r'\\(["\\])')
_OTHER_ESCAPE: Final = re.compile(r"%(?!22|0D|0A)[0-9A-F]{2}")
_ENCODERS_KEEP: Final = ("!*'()", "")
"""Characters that JavaScript's encodeURIComponent does not encode, apart from RFC 3986's unreserved
ones; and those of others that encode a whole name (aiohttp)."""
_CHARSETS: Final = {"utf-8": "utf-8", "iso-8859-1": "iso-8859-1"}
# Characters that a client may replace in an ASCII name: RFC 6266 appendix D names the last three.
_REPLACED: Final = re.compile(r"""[^ -~]|["\\%/:;*?<>|']""")


class Filename(msgspec.Struct, frozen=True):
    r"""A name as its user wrote it; None if the part has none.

    `escaped`: a backslash in it was escaped, so it belongs to the name and separates no path.
    """

    text: str | None
    escaped: bool = False

    @classmethod
    def decoded(cls, text: str) -> "Filename":
        """A name in an encoding in which a backslash is like any other character."""
        return cls(text, escaped="\\" in text)


def read_filename(values: Mapping[str, str]) -> tuple[Filename, set[Ambiguity]]:
    """The name of a file by its parameters, between their quotes; and its ambiguities.

    `filename*` is preferred if `filename` is the same name, or only stands in for it.
    """
    written = values.get("filename")
    plain = Filename(None) if written is None else read_plain(written)
    extended, doubts = _extended(values)
    if extended is None:
        return plain, doubts
    if written is None:
        return Filename.decoded(extended), doubts | {Ambiguity.PARAMETER_EXTENDED}
    if stands_for(written, extended):
        return Filename.decoded(extended), doubts
    return plain, doubts | {Ambiguity.FILENAMES_DIFFER}


def read_plain(written: str) -> Filename:
    r"""The name in a plain `filename`, by the escapes that its client may have used.

    In this order: encoded words; quoted pairs, if each backslash is part of one (or `\"` and `\\`,
    if there is a `\"`); percent-encoding, if its client encoded the whole name; else `%22`, `%0D`
    and `%0A`, as browsers and curl encode.
    """
    if (words := decode_words(written)) is not None:
        return Filename.decoded(words)
    if "\\" in written and _is_escaped(written):
        return Filename.decoded(_PAIR.sub(r"\1", written))
    if '\\"' in written:
        return Filename(_QUOTE_PAIR.sub(r"\1", written))
    if "%" in written:
        return _without_percents(written)
    return Filename(written)


def stands_for(written: str, extended: str) -> bool:
    """Whether a plain `filename` is the same name as that of `filename*`, or a stand-in for it.

    It is the same if one of its readings is. It is a stand-in if it is empty; if it is an encoded
    word that cannot be decoded; or if it is ASCII and differs only in characters that clients
    replace: those beyond ASCII, controls, backslashes, and `" % / : ; * ? < > | '`. Any ASCII text
    may replace a run of these: `?`, `_`, nothing, a transliteration.
    """
    if not written or extended in readings_of_value(written):
        return True
    if not written.isascii():
        return False
    if has_encoded_word(written):
        return decode_words(written) is None
    return _matches(written, _REPLACED.split(extended))


def _matches(text: str, pieces: list[str]) -> bool:
    """Whether the text consists of the pieces in order, with anything between them."""
    if len(pieces) == 1:
        return text == pieces[0]
    first, *middle, last = pieces
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    position, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, position, end)
        if found == -1:
            return False
        position = found + len(piece)
    return True


def _is_escaped(written: str) -> bool:
    r"""Whether each backslash belongs to a quoted pair, and either all blanks do (Crystal) or none.

    Browsers do not escape backslashes, so those of a path or a name may be unescaped.
    """
    rest = _PAIR.sub("", written)
    return "\\" not in rest and ("\\ " not in written or " " not in rest)


def _without_percents(written: str) -> Filename:
    """The name percent-decoded as a whole, if an encoder of whole names gives the same text.

    React Native since 0.77 and aiohttp encode whole names. A browser's escapes prove nothing.
    """
    if _OTHER_ESCAPE.search(written):
        try:
            decoded = unquote_to_bytes(written).decode()
        except UnicodeDecodeError:
            decoded = ""
        if any(quote(decoded, safe=kept) == written for kept in _ENCODERS_KEEP):
            return Filename.decoded(decoded)
    return Filename(undo_browsers_escapes(written))


def _extended(values: Mapping[str, str]) -> tuple[str | None, set[Ambiguity]]:
    """The name in `filename*`: `charset'language'percent-encoded` (RFC 8187 section 3.2)."""
    value = values.get("filename*")
    if value is None:
        return None, set()
    charset, quote_, rest = value.partition("'")
    _, second_quote, encoded = rest.partition("'")
    if not (quote_ and second_quote):
        return None, {Ambiguity.DISPOSITION_MALFORMED}
    codec = _CHARSETS.get(charset.lower())
    if codec is None:
        return None, {Ambiguity.CHARSET_UNKNOWN}
    content = unquote_to_bytes(encoded)
    try:
        return content.decode(codec), set()
    except UnicodeDecodeError:
        return content.decode(codec, "replace"), {Ambiguity.HEADER_ENCODING}
