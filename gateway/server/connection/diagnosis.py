"""Explains to a client why the parser refused its head. Pure.

The parser decides; this module only searches for its reason, in the same bytes. The explanation is
one of a few sentences. It quotes no value, and names only well-known headers: a client that breaks
its head may have put its token anywhere.

Source: RFC 9112 sections 2.2 (line breaks), 3 (the request line), 5 (headers), 6 (bodies), 7
(codings); RFC 9110 sections 5.3 (repeated headers) and 5.5 (values).
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from http import HTTPMethod
from itertools import chain
from typing import Final

from aiohttp import hdrs

LONGEST_LINE: Final = 8190
"""Bytes of the request line, of a header's name or of its value, that aiohttp's parser accepts."""

MOST_HEADERS: Final = 128
"""The number of headers that it accepts."""

UNKNOWN: Final = "not a valid HTTP/1.1 request"

CODING_IN_1_0: Final = "HTTP/1.0 has no Transfer-Encoding: send Content-Length, or use HTTP/1.1"
NOT_CHUNKED: Final = "the Transfer-Encoding must be chunked"

_ONCE: Final = {
    name.lower(): str(name)
    for name in (
        hdrs.CONTENT_LENGTH,
        hdrs.CONTENT_LOCATION,
        hdrs.CONTENT_RANGE,
        hdrs.CONTENT_TYPE,
        hdrs.ETAG,
        hdrs.HOST,
        hdrs.MAX_FORWARDS,
        hdrs.SERVER,
        hdrs.TRANSFER_ENCODING,
        hdrs.USER_AGENT,
    )
}
"""Headers that the parser refuses to see twice, and their usual spelling."""

_NAMED: Final = _ONCE | {
    name.lower(): str(name)
    for name in (hdrs.ACCEPT, hdrs.AUTHORIZATION, hdrs.CONNECTION, hdrs.COOKIE, hdrs.EXPECT)
}
"""Headers that an explanation may name."""

_TLS_RECORD: Final = b"\x16\x03"
_HTTP_2: Final = b"PRI * HTTP/2"
_END: Final = b"\r\n\r\n"
_NO_OPENING: Final = (
    "the request line is not a method, a path and HTTP/1.1, separated by single spaces"
)
_BREAK: Final = re.compile(rb"[\r\n]")
_OPENING: Final = re.compile(rb"(?P<method>[^ ]+) +(?P<target>[^ ]+) +HTTP/(?P<version>\d\.\d)")
_TARGET: Final = re.compile(rb"/[!-~]*")
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL_OR_TAB: Final = re.compile(rb"[\x00-\x1f\x7f]")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_METHODS: Final = frozenset(method.value.encode() for method in HTTPMethod)

_Look = Callable[[Sequence[bytes]], str | None]


def fault_of_head(head: bytes) -> str:
    """What is wrong with a refused head, which may be incomplete."""
    if head.startswith(_TLS_RECORD):
        return "the client speaks TLS to a port that speaks plain HTTP"
    if head.startswith(_HTTP_2):
        return "the client speaks HTTP/2, but this port speaks HTTP/1.1"
    whole = head.endswith(_END)
    # A part may end in the first half of a line break.
    lines = (head.removesuffix(_END) if whole else head.removesuffix(b"\r")).split(b"\r\n")
    complete = lines if whole else lines[:-1]
    faults = chain(
        (look(lines) for look in (_fault_of_breaks, _fault_of_sizes, _fault_of_blanks)),
        (look(complete) for look in _LOOKS if complete),
        [_fault_of_method(lines), _fault_of_host(lines) if whole else None],
    )
    return next(filter(None, faults), UNKNOWN)


def _fault_of_breaks(lines: Sequence[bytes]) -> str | None:
    if any(_BREAK.search(line) for line in lines):
        return "a line of the head has a bare carriage return or line feed: end lines with CR LF"
    return None


def _fault_of_sizes(lines: Sequence[bytes]) -> str | None:
    if len(lines[0]) > LONGEST_LINE:
        return f"the request line is longer than {LONGEST_LINE} bytes"
    if len(lines) - 1 > MOST_HEADERS:
        return f"there are more than {MOST_HEADERS} headers"
    for line in lines[1:]:
        name, value = _field(line)
        if max(len(name), len(value)) > LONGEST_LINE:
            return f"{_called(name)} is longer than {LONGEST_LINE} bytes"
    return None


def _fault_of_blanks(lines: Sequence[bytes]) -> str | None:
    return _NO_OPENING if _CONTROL_OR_TAB.search(lines[0]) else None


def _fault_of_opening(lines: Sequence[bytes]) -> str | None:
    opening = _OPENING.fullmatch(lines[0])
    if opening is None:
        return _NO_OPENING
    if opening["version"] not in {b"1.0", b"1.1"}:
        return "the version of HTTP is neither 1.0 nor 1.1"
    if not _TARGET.fullmatch(opening["target"]):
        return "the request target must be a path of printable ASCII characters"
    return None


def _fault_of_lines(lines: Sequence[bytes]) -> str | None:
    for line in lines[1:]:
        name, value = _field(line)
        if line[:1] in {b" ", b"\t"}:
            return "a header continues on another line: put each header on one line"
        if b":" not in line:
            return "a line among the headers has no colon"
        if not _TOKEN.fullmatch(name):
            return "the name of a header has a space or another forbidden character"
        if _CONTROL.search(value):
            return f"the value of {_called(name)} has a control character"
    return None


def _fault_of_repetition(lines: Sequence[bytes]) -> str | None:
    for name, times in Counter(_field(line)[0].lower() for line in lines[1:]).items():
        if times > 1 and (called := _ONCE.get(name.decode("latin-1"))) is not None:
            count = "twice" if times == 2 else f"{times} times"
            return f"{called} was sent {count}: send it once"
    return None


def _fault_of_length(lines: Sequence[bytes]) -> str | None:
    length, coding = (_value(lines, name) for name in (b"content-length", b"transfer-encoding"))
    if coding is not None and length is not None:
        return "Content-Length was sent together with Transfer-Encoding: send one of them"
    if coding is not None and lines[0].endswith(b"HTTP/1.0"):
        return CODING_IN_1_0
    if coding is not None and coding.lower() != b"chunked":
        return NOT_CHUNKED
    if length is not None and not length.isdigit():
        return "Content-Length is not a number of bytes"
    return None


_LOOKS: Final[Sequence[_Look]] = (
    _fault_of_opening, _fault_of_lines, _fault_of_repetition, _fault_of_length,
)  # fmt: skip


def _fault_of_method(lines: Sequence[bytes]) -> str | None:
    method = lines[0].partition(b" ")[0]
    return None if method in _METHODS else "the method is unknown"


def _fault_of_host(lines: Sequence[bytes]) -> str | None:
    return None if _value(lines, b"host") is not None else "the Host header is missing"


def _field(line: bytes) -> tuple[bytes, bytes]:
    """Name and value of a header."""
    name, _, value = line.partition(b":")
    return name, value.strip(b" \t")


def _value(lines: Sequence[bytes], wanted: bytes) -> bytes | None:
    """The value of the first header of that name, given in lower case."""
    fields = (_field(line) for line in lines[1:])
    return next((value for name, value in fields if name.lower() == wanted), None)


def _called(name: bytes) -> str:
    return _NAMED.get(name.lower().decode("latin-1"), "a header")
