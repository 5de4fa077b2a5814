"""The catalogue of hostile answers: what an upstream sends, and what the client hears of it."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.delivery.relay.record import ANSWER_LIMIT

FORGED: Final = "forged"
"""Stands where an upstream names itself the gateway, and must not reach the client."""

HIDDEN: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden"
"""A second answer, that nobody asked for."""

_OK: Final = b"HTTP/1.1 200 OK\r\n"
_JSON: Final = b'{"id": 1, "file": {"url": "http://localhost/x"}}'
_LENGTH: Final = b"Content-Length: %d\r\n" % len(_JSON)
_PLAIN: Final = _OK + _LENGTH + b"\r\n" + _JSON
_LARGE: Final = 2 * ANSWER_LIMIT


class Answer(NamedTuple):
    """Bytes for an answer, after which the upstream closes.

    `status` and `body`: what the client is to have, where the body is not None. A 502 comes too
    late where the head went on already: then the connection is cut. `early`: before the request's
    body is read; `resets`: by RST.
    """

    name: str
    data: bytes
    status: int
    body: bytes | None = None
    early: bool = False
    resets: bool = False


def _moved(status: int, to: bytes) -> bytes:
    return b"HTTP/1.1 %d Moved\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (status, to)


def _passed_on() -> Iterator[Answer]:
    yield Answer("redirect-to-metadata", _moved(302, b"http://169.254.169.254/latest"), 302, b"")
    yield Answer("redirect-to-us", _moved(307, b"/gateway/healthz"), 307, b"")
    yield Answer("redirect-to-others", _moved(308, b"//evil.test/"), 308, b"")
    yield Answer("reference-to-localhost", _PLAIN, 200, _JSON)
    yield Answer(
        "103-times-1000", b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * 1000 + _PLAIN, 200, _JSON
    )
    resumes = b"HTTP/1.1 104 Upload Resumption Supported\r\nLocation: /v1/uploads/1\r\n\r\n"
    yield Answer("104", resumes + _PLAIN, 200, _JSON)
    hiding = b"HTTP/1.1 100 Continue\r\nContent-Length: %d\r\n\r\n" % len(_PLAIN)
    yield Answer("100-with-length", hiding + _PLAIN + HIDDEN, 200, _JSON)
    yield Answer("two-answers", _PLAIN + HIDDEN, 200, _JSON)
    yield Answer(
        "encoded-garbage",
        _OK + b"Content-Encoding: gzip\r\n" + _LENGTH + b"\r\n" + _JSON,
        200,
        _JSON,
    )
    yield Answer(
        "html-in-reason", b"HTTP/1.1 200 <script>\r\n" + _LENGTH + b"\r\n" + _JSON, 200, _JSON
    )
    yield Answer("no-reason", b"HTTP/1.1 200\r\n" + _LENGTH + b"\r\n" + _JSON, 200, _JSON)
    yield Answer(
        "reason-of-any-bytes", b"HTTP/1.1 200 \xff\xe9\r\n" + _LENGTH + b"\r\n" + _JSON, 200, _JSON
    )
    yield Answer(
        "value-of-any-bytes", _OK + b"X: \xff\xe9\r\n" + _LENGTH + b"\r\n" + _JSON, 200, _JSON
    )
    for name, byte in (("nul", b"\0"), ("escape", b"\x1b")):
        reason = b"HTTP/1.1 200 O" + byte + b"K\r\n"
        yield Answer(f"{name}-in-reason", reason + _LENGTH + b"\r\n" + _JSON, 200, _JSON)
    own = (
        b"X-Request-Id: forged\r\nUpload-Id: forged\r\nConnection: x-request-id, upload-id\r\n"
        b"X_Request_Id: forged\r\nUpload_Id: forged\r\nContent_Length: forged\r\n"
        b"Upload-Offset: forged\r\nTus-Resumable: forged\r\n"
        b"Transfer_Encoding: forged\r\n"
    )
    yield Answer("our-own-headers", _OK + own + _LENGTH + b"\r\n" + _JSON, 200, _JSON)
    yield Answer("until-the-end", _OK + b"\r\n" + _JSON, 200, _JSON)
    yield Answer("unknown-status", b"HTTP/1.1 599 X\r\n" + _LENGTH + b"\r\n" + _JSON, 599, _JSON)
    yield Answer("204-with-length", b"HTTP/1.1 204 No Content\r\n" + _LENGTH + b"\r\n", 204, b"")
    yield Answer("304-with-length", b"HTTP/1.1 304 Not Modified\r\n" + _LENGTH + b"\r\n", 304, b"")
    coded = b"Transfer-Encoding: identity\r\n\r\n"
    yield Answer("coding-that-is-none", _OK + coded + _JSON, 200, _JSON)
    folded = b"X: a\r\n Set-Cookie: b\r\n"
    yield Answer("folded-header", _OK + folded + _LENGTH + b"\r\n" + _JSON, 200, _JSON)
    yield Answer("bare-lf", (_OK + _LENGTH).replace(b"\r", b"") + b"\n" + _JSON, 200, _JSON)
    yield Answer("half-a-head-behind", _PLAIN + b"HTTP/1.1 418 Left\r\nX-Left: over", 200, _JSON)
    trailers = b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Left: over\r\n\r\n"
    yield Answer("trailers", _OK + trailers, 200, b"{}")


def _refused() -> Iterator[Answer]:
    refusing = b"HTTP/1.1 413 Too Large\r\n" + _LENGTH + b"\r\n" + _JSON
    yield Answer("early", refusing, 413, _JSON, early=True)
    yield Answer("early-and-reset", refusing, 413, _JSON, early=True, resets=True)


def _broken() -> Iterator[Answer]:
    chunked = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
    for name, data in {
        "nothing": b"",
        "101": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
        + _PLAIN,
        "status-of-two-digits": b"HTTP/1.1 99 X\r\n" + _LENGTH + b"\r\n" + _JSON,
        "status-below-100": b"HTTP/1.1 099 X\r\n" + _LENGTH + b"\r\n" + _JSON,
        "status-0": b"HTTP/1.1 000 X\r\n" + _LENGTH + b"\r\n" + _JSON,
        "status-beyond-599": b"HTTP/1.1 799 X\r\n" + _LENGTH + b"\r\n" + _JSON,
        "status-of-four-digits": b"HTTP/1.1 2000 X\r\n" + _LENGTH + b"\r\n" + _JSON,
        "coded-and-chunked": _OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "coded": _OK + b"Transfer-Encoding: gzip\r\n\r\n" + _JSON,
        "chunked-twice": _OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n2\r\n{}\r\n0\r\n\r\n",
        "no-http": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "cut-in-head": _OK + b"Content-Len",
        "header-of-1-mb": _OK + b"X: " + b"a" * 2**20 + b"\r\n\r\n",
        "headers-without-end": _OK + b"X: a\r\n" * 200_000,
        "blank-behind-length": _OK + _LENGTH.replace(b":", b" :") + b"\r\n" + _JSON,
        "blanks-behind-coding": _OK + b"Transfer-Encoding  : chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "blank-behind-connection": _OK + b"Connection : x\r\n" + _LENGTH + b"\r\n" + _JSON,
        "blank-behind-upgrade": _OK + b"Upgrade : x\r\n" + _LENGTH + b"\r\n" + _JSON,
        "nul-in-value": _OK + b"X: a\0b\r\n" + _LENGTH + b"\r\n" + _JSON,
        "cr-in-value": _OK + b"X: a\rSet-Cookie: b\r\n" + _LENGTH + b"\r\n" + _JSON,
        "length-of-words": _OK + b"Content-Length: x\r\n\r\n" + _JSON,
        "length-beyond-63-bits": _OK + b"Content-Length: %d\r\n\r\n" % (2**64 - 1) + _JSON,
        "length-of-zeros": _OK + b"Content-Length: %05000d\r\n\r\n" % len(_JSON) + _JSON,
        "length-twice": _OK + _LENGTH + b"Content-Length: 1\r\n\r\n" + _JSON,
        "length-and-chunked": _OK + _LENGTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "more-than-its-length": _PLAIN + b"more",
        "cut-in-body": _OK + _LENGTH + b"\r\n" + _JSON[:9],
        "chunk-of-garbage": chunked + b"zz\r\n" + _JSON,
        "chunks-cut": chunked + b'5\r\n{"id"\r\n',
    }.items():
        yield Answer(name, data, 502)
    much = b"a" * _LARGE
    yield Answer("cut-after-much", _OK + b"Content-Length: %d\r\n\r\n" % (_LARGE + 1) + much, 502)
    beginning = chunked + b"%x\r\n" % _LARGE + much + b"\r\n"
    yield Answer("chunks-cut-after-much", beginning, 502)
    yield Answer("garbage-after-much", beginning + b"zz\r\n", 502)


COMPILED_ONLY: Final = frozenset(
    {
        "100-with-length",
        "kept-values-of-any-bytes",
        "length-of-zeros",
        "length-twice",
        "more-than-its-length",
    }
)
"""What aiohttp's pure-Python parser, which nobody is served by, does otherwise."""

ANSWERS: Final = (*_passed_on(), *_refused(), *_broken())
