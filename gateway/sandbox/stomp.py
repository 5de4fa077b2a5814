"""Frames of STOMP 1.2, one in each WebSocket message, as the runtime's clients send them. Pure.

Source: https://stomp.github.io/stomp-specification-1.2.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

HEART_BEAT: Final = "\n"

_BLANK_LINE: Final = re.compile(r"\r?\n\r?\n")
_UNESCAPED: Final = frozenset({"CONNECT", "STOMP", "CONNECTED"})
"""Frames with headers as they are, for clients of STOMP 1.0."""

_ESCAPES: Final = {"\\r": "\r", "\\n": "\n", "\\c": ":", "\\\\": "\\"}
_ESCAPE: Final = re.compile(r"\\.?", re.DOTALL)
_TO_ESCAPE: Final = re.compile(r"[\r\n:\\]")
_ESCAPED: Final = {character: escape for escape, character in _ESCAPES.items()}


class InvalidFrame(ValueError):
    """A message that is no frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A command, its headers and its body."""

    command: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def encoded(self) -> str:
        """The frame as a WebSocket message."""
        escape = _as_it_is if self.command in _UNESCAPED else _escaped
        lines = [f"{escape(name)}:{escape(value)}\n" for name, value in self.headers.items()]
        return f"{self.command}\n{''.join(lines)}\n{self.body}\0"


def frame_of(message: str) -> Frame | None:
    """The frame of a message; None for a heart-beat. Raises InvalidFrame."""
    message = message.lstrip("\r\n")
    if not message:
        return None
    blank = _BLANK_LINE.search(message)
    body, end, _ = message[blank.end() :].rpartition("\0") if blank else ("", "", "")
    if not blank or not end:
        raise InvalidFrame("the frame has no end")
    command, *lines = message[: blank.start()].replace("\r\n", "\n").split("\n")
    read = _as_it_is if command in _UNESCAPED else _unescaped
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise InvalidFrame("a header has no colon")
        headers.setdefault(read(name), read(value))  # of repeated headers, the first one counts
    return Frame(command, headers, body)


def _as_it_is(text: str) -> str:
    return text


def _escaped(text: str) -> str:
    return _TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], text)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_meaning, text)


def _meaning(escape: re.Match[str]) -> str:
    try:
        return _ESCAPES[escape[0]]
    except KeyError:
        raise InvalidFrame("a header has an unknown escape") from None
