"""JSON and letters, by their grammar: as far as the bytes go. Pure.

Sources: RFC 8259, RFC 5322 section 2.2 and mbox (RFC 4155).
"""

import codecs
import re
from typing import Final

_TEXT: Final = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*+)*+'
_NUMBER: Final = rb"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])"
_TOKEN: Final = re.compile(
    rb"[\t\n\r ]*+(?:(?P<mark>[][{}:,])|(?P<text>" + _TEXT + rb'")'
    rb"|(?P<plain>" + _NUMBER + rb"|true|false|null))"
)
_CUT: Final = re.compile(
    rb"[\t\n\r ]*+(?:" + _TEXT + rb"(?:\\(?:u[0-9A-Fa-f]{0,3})?)?|[\w.+-]{0,400})\Z"
)
"""Bytes that may be at the end of text that was cut."""

_LETTER: Final = re.compile(
    rb"(?:From \S+ .{10,60}\r?\n)?(?P<fields>(?:[!-9;-~]{1,76}:.*\r?\n(?:[ \t].*\r?\n)*)+)"
)
_FIELDS: Final = re.compile(
    rb"^(?:from|to|cc|date|subject|message-id|received|return-path|mime-version|content-type|sender"
    rb"|reply-to|delivered-to|dkim-signature|x-[a-z-]+):",
    re.IGNORECASE | re.MULTILINE,
)
_LEAST_FIELDS: Final = 2


def is_json(head: bytes, *, whole: bool) -> bool:
    """Whether the bytes are an object or array in JSON, or its first part if they are not `whole`.

    One that is cut has to have at least one member, with what follows it.
    """
    data = head.removeprefix(codecs.BOM_UTF8)
    if data.lstrip(b"\t\n\r ")[:1] not in (b"{", b"["):
        return False
    reader = _Reader()
    at = 0
    while not reader.done:
        token = _TOKEN.match(data, at)
        if token is None:
            cut = not whole and _CUT.match(data, at) is not None
            return cut and reader.members > 0
        if not reader.take(token):
            return False
        at = token.end()
    return not data[at:].strip(b"\t\n\r ")


def is_letter(head: bytes) -> bool:
    """Whether it begins with a header of several fields that letters have."""
    found = _LETTER.match(head)
    return found is not None and len(_FIELDS.findall(found["fields"])) >= _LEAST_FIELDS


class _Reader:
    """Which tokens may follow those that were taken."""

    def __init__(self) -> None:
        self.done = False
        self.members = 0
        """Commas and colons."""
        self._open: list[bytes] = []
        self._next = "value"

    def take(self, token: re.Match[bytes]) -> bool:
        """Whether the token may stand there."""
        mark = token["mark"]
        if mark is None:
            return self._take_plain(is_text=token["text"] is not None)
        if mark in (b"{", b"["):
            if self._next not in ("value", "value or end"):
                return False
            self._open.append(mark)
            self._next = "key or end" if mark == b"{" else "value or end"
            return True
        if mark in (b"}", b"]"):
            return self._close(b"{" if mark == b"}" else b"[")
        wanted = "colon" if mark == b":" else "comma or end"
        if self._next != wanted:
            return False
        self.members += 1
        self._next = "value" if mark == b":" or self._open[-1] == b"[" else "key"
        return True

    def _take_plain(self, *, is_text: bool) -> bool:
        if self._next in ("value", "value or end"):
            self._next = "comma or end"
            return True
        taken = is_text and self._next in ("key", "key or end")
        self._next = "colon"
        return taken

    def _close(self, mark: bytes) -> bool:
        ends = self._next in ("comma or end", "key or end", "value or end")
        if not ends or self._open.pop() != mark:
            return False
        self._next = "comma or end"
        self.done = not self._open
        return True
