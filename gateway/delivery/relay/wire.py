"""Writes heads as bytes (RFC 9112). Pure."""

from collections.abc import Iterable
from http.client import responses

from gateway.text import as_received

Lines = Iterable[tuple[bytes, bytes]]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def request_head(method: str, target: str, host: str, headers: Lines) -> bytes:
    """A request's head; received headers are written exactly as they came."""
    return _head(as_received(f"{method} {target} HTTP/1.1\r\nHost: {host}"), headers)


def answer_head(status: int, reason: str | None, headers: Lines) -> bytes:
    """An answer's head; if `reason` is None, the status has its usual one."""
    phrase = responses.get(status, "") if reason is None else reason
    return _head(as_received(f"HTTP/1.1 {status} {phrase}"), headers)


def lines(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Headers made by the gateway, as bytes."""
    return [(as_received(name), as_received(value)) for name, value in headers]


def whole_answer(status: int, headers: Lines, body: bytes) -> bytes:
    """An answer with its complete body; `headers` do not include its length."""
    return answer_head(status, None, (*headers, (b"Content-Length", b"%d" % len(body)))) + body


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; without data, the last chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(opening: bytes, headers: Lines) -> bytes:
    return b"\r\n".join([opening, *map(b": ".join, headers), b"", b""])
