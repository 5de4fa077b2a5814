"""Makes the bytes of an answer: of the upstream's answer, or of a problem. Pure."""

from collections.abc import Mapping, Sequence
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from aiohttp import hdrs
from aiohttp.http import RawResponseMessage

from gateway.delivery.links import OF_THE_BYTES
from gateway.delivery.relay import wire
from gateway.problems import Problem
from gateway.server.connection.answers import document_of
from gateway.server.connection.context import SERVER
from gateway.server.fields.cors import Cors, without_raw_cors

_NO_BODY: Final = frozenset({204, 304})
_HEAD: Final = "HEAD"
"""The method of requests whose answers have no body (RFC 9110 section 9.3.2)."""

_LENGTH: Final = b"content-length"
_CHUNKED: Final = (b"Transfer-Encoding", b"chunked")
_SERVER: Final = SERVER.encode()


def opening_of(
    head: RawResponseMessage,
    passed: tuple[Sequence[tuple[bytes, bytes]], str | None],
    whole: bytes | None,
    own: wire.Lines,
    now: float,
    method: str,
) -> tuple[bytes, bool]:
    """The head of the upstream's answer for the client, with our `own` lines at its end.

    `passed` are its own lines that the client gets, and their Content-Length. `whole` is its body,
    if all of it has arrived; `method` is the request's. Also returns whether the body must be sent
    in chunks, because its length is not known. `now` is in seconds since the epoch.
    """
    answered = head.headers
    lines, length = list(passed[0]), passed[1]
    bodiless = head.code in _NO_BODY
    if bodiless and length is not None:  # RFC 9110 section 8.6
        lines = [line for line in lines if line[0].lower() != _LENGTH]
    if hdrs.SERVER not in answered:
        lines.append((b"Server", _SERVER))
    if hdrs.DATE not in answered:
        lines.append((b"Date", _date(int(now))))
    lines += own
    chunked = False
    if not bodiless and method != _HEAD:
        if length != "0" and hdrs.CONTENT_TYPE not in answered:
            lines.append((b"Content-Type", b"application/octet-stream"))
        if length is None:
            chunked = whole is None
            lines.append(_CHUNKED if whole is None else (b"Content-Length", b"%d" % len(whole)))
    reason = head.reason if head.reason.isprintable() else None
    return wire.answer_head(head.code, reason, lines), chunked


def changed_lines(
    lines: list[tuple[bytes, bytes]], cors: Cors | None, *, changed: bool
) -> list[tuple[bytes, bytes]]:
    """The headers of the upstream's answer without those that our own replace.

    `changed`: the body has other links than ChatKitty's.
    """
    if cors is not None:
        lines = without_raw_cors(lines)
    if changed:
        lines = [line for line in lines if line[0].lower() not in OF_THE_BYTES]
    return lines


def of_problem(
    problem: Problem, ids: Mapping[str, str], own: wire.Lines, now: float, method: str
) -> tuple[bytes, int]:
    """The problem as an answer to a request with that method, and its body's size in bytes."""
    status, fields, body = document_of(problem, ids)
    lines = [
        *wire.lines(fields.items()),
        (b"Server", _SERVER),
        (b"Date", _date(int(now))),
        *own,
    ]
    if method == _HEAD:
        return wire.whole_answer(status, lines, body)[: -len(body)], 0
    return wire.whole_answer(status, lines, body), len(body)


@lru_cache(maxsize=1)
def _date(now: int) -> bytes:
    """The `Date` of an answer, formatted once a second."""
    return formatdate(now, usegmt=True).encode()
