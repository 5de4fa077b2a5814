"""Heads as bytes (RFC 9112). Pure."""

from collections.abc import Iterable
from http.client import responses

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def request_head(method: str, target: str, host: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """A request's head; what was received is written as it came."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return _bytes(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n")


def answer_head(status: int, reason: str | None, headers: Iterable[tuple[str, str]]) -> bytes:
    """An answer's head; where `reason` is None, the status has its usual one."""
    phrase = responses.get(status, "") if reason is None else reason
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return _bytes(f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n")


def whole_answer(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """An answer whose body is all there; `headers` do not tell its length."""
    return answer_head(status, None, (*headers, ("Content-Length", str(len(body))))) + body


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; the last one for no data."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _bytes(text: str) -> bytes:
    # The parser decodes what is no UTF-8 in this way, so the bytes go on as they came.
    return text.encode("utf-8", "surrogateescape")
