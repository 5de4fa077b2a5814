"""Encoded words of mail (RFC 2047), which some clients use for file names. Pure."""

import base64
import binascii
import encodings
import pkgutil
import re
from encodings.aliases import aliases
from typing import Final

# RFC 2231 section 5 adds a language to the charset. Some encoders do not encode blanks.
_WORD: Final = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?]*)\?=")
_LINEAR_BLANKS: Final = " \t\r\n"
_TOKEN: Final = re.compile(f"[{_LINEAR_BLANKS}]+|[^{_LINEAR_BLANKS}]+")
_NO_CHARSETS: Final = {"aliases", "idna", "oem", "mbcs", "punycode", "undefined"} | {
    "raw_unicode_escape",
    "unicode_escape",
}
# Python remembers every unknown charset, so it is never asked for a client's.
_CHARSETS: Final = frozenset(
    {*aliases, *(module.name for module in pkgutil.iter_modules(encodings.__path__))} - _NO_CHARSETS
)


def has_encoded_word(value: str) -> bool:
    """Whether a reader could find an encoded word in it: `=?charset?encoding?text?=` (RFC 2047)."""
    _, mark, rest = value.partition("=?")
    return bool(mark) and "?=" in "".join(rest.split("?", 2)[2:])


def decode_words(value: str) -> str | None:
    """The text with its encoded words decoded; None if it has none, or one cannot be decoded.

    Blanks between two words are not part of the text (section 6.2). The bytes of adjacent words in
    one charset are decoded together, as some encoders cut a character in two.
    """
    text, waiting, charset, end = "", b"", "", 0
    for word in _WORD.finditer(value):
        between = value[end : word.start()]
        if end == 0 or between.strip() or word[1].lower() != charset:
            decoded = decode_charset(waiting, charset) if end else ""
            if decoded is None:
                return None
            text += decoded + (between if end == 0 or between.strip() else "")
            waiting = b""
        content = _content(word[2], word[3])
        if content is None:
            return None
        waiting += content
        charset, end = word[1].lower(), word.end()
    last = decode_charset(waiting, charset) if end else None
    return None if last is None else text + last + value[end:]


def decode_each_word(value: str, kinds: str = "BbQq") -> list[str]:
    """The texts of the words that can be decoded, separately; broken bytes become U+FFFD."""
    words = (word for word in _WORD.finditer(value) if word[2] in kinds)
    return [text for word in words if (text := _decoded(word)) is not None]


def decode_tokens(value: str) -> str:
    """The text as commons-fileupload decodes it: only the first word of a token that has one."""
    text, blanks, after_word = "", "", False
    for token in _TOKEN.findall(value):
        if token[0] in _LINEAR_BLANKS:
            blanks = token
            continue
        word = _WORD.match(token)
        decoded = None if word is None else _decoded(word)
        text += "" if after_word and decoded is not None else blanks
        text += token if decoded is None else decoded
        blanks, after_word = "", decoded is not None
    return text + blanks


def decode_charset(content: bytes, label: str, errors: str = "strict") -> str | None:
    """The text of the bytes in a charset that Python knows; None if it has none of that name.

    Also None if they are invalid in that charset and `errors` is `strict`.
    """
    if encodings.normalize_encoding(label).lower() not in _CHARSETS:
        return None
    try:
        return content.decode(label, errors)
    except (LookupError, UnicodeError):
        return None


def _decoded(word: re.Match[str]) -> str | None:
    content = _content(word[2], word[3])
    return None if content is None else decode_charset(content, word[1].lower(), "replace")


def _content(encoding: str, text: str) -> bytes | None:
    """The bytes of a word's text: Base64, or its own form of quoted-printable (section 4)."""
    try:
        if encoding in "Qq":
            return binascii.a2b_qp(text, header=True)
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None
