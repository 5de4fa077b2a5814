"""The catalogue of hostile framings (RFC 9112): what is sent, and how it is answered."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.flows.raw import FORM_TYPE, chunked, form, head
from tests.hostile.never import AUTHORIZATION, CANARY

SMUGGLED_PATH: Final = "/v1/smuggled"
SMUGGLED: Final = f"GET {SMUGGLED_PATH} HTTP/1.1\r\nHost: gateway\r\n\r\n".encode()
"""What is hidden in a hostile request, and must not be served as another."""

HERE: Final = "/v1/channels/0/messages"
"""Stands for the path that each case has of its own."""

_BODY: Final = form(CANARY)
_PLAIN: Final = "Content-Type: text/plain"
_CHUNKED: Final = "Transfer-Encoding: chunked"
_LENGTH: Final = f"Content-Length: {len(_BODY)}"
_MIB: Final = 1024 * 1024


class Framing(NamedTuple):
    """Bytes that no two servers are sure to read alike: answered by 400 and a close.

    `passes`: harmless, so that it may be read as what it was meant for. `compiled_only`: the
    pure-Python parser reads on; it is not served by, and there it comes to an end by a time-out.
    """

    row: str
    name: str
    data: bytes
    passes: bool = False
    compiled_only: bool = False

    def at(self, path: str) -> bytes:
        """The bytes with a path of their own, and behind them what they could hide."""
        return self.data.replace(HERE.encode(), path.encode()) + (b"" if self.passes else SMUGGLED)


def _lengths() -> Iterator[tuple[str, tuple[str, ...], bytes]]:
    both = chunked(_BODY, 100)
    yield "length-and-chunked", (_LENGTH, _CHUNKED), both
    yield "chunked-and-length", (_CHUNKED, _LENGTH), both
    yield "chunked-and-length-zero", (_CHUNKED, "Content-Length: 0"), both
    yield "two-equal", (_LENGTH, _LENGTH), _BODY
    yield "two-different", (_LENGTH, "Content-Length: 5"), _BODY
    yield "two-in-two-cases", (_LENGTH, "content-length: 0"), _BODY
    size = len(_BODY)
    values = {
        "list": f"{size}, {size}", "plus": f"+{size}", "minus": "-1", "minus-zero": "-0",
        "underscore": "1_0", "hex": "0x10", "fraction": f"{size}.0", "exponent": "1e2",
        "arabic": "\u0661\u0662", "empty": "", "two-words": f"{size} 0", "semicolon": f"{size};",
        "quoted": f'"{size}"', "2-64": str(2**64 + size), "vertical-tab": f"\x0b{size}",
        "2-64-1": str(2**64 - 1), "2-63": str(2**63), "zeros": f"{size:020}",
    }  # fmt: skip
    for name, value in values.items():
        yield name, (f"Content-Length: {value}",), _BODY


def _codings() -> Iterator[tuple[str, tuple[str, ...], bytes]]:
    values = {
        "xchunked": "xchunked", "chunked-identity": "chunked, identity", "identity": "identity",
        "chunked-chunked": "chunked, chunked", "vertical-tab": "\x0bchunked",
        "quoted": '"chunked"', "parameter": "chunked;a=b", "empty": "", "nul": "chunked\0",
        "form-feed": "chunked\x0c", "non-ascii": "chun\u212aed", "gzip": "gzip",
    }  # fmt: skip
    for name, value in values.items():
        yield name, (f"Transfer-Encoding: {value}",), chunked(_BODY, 100)
    yield "twice", (_CHUNKED, _CHUNKED), chunked(_BODY, 100)
    yield "chunked-then-identity", (_CHUNKED, "Transfer-Encoding: identity"), chunked(_BODY, 100)
    yield "space-before-colon", ("Transfer-Encoding : chunked",), chunked(_BODY, 100)


def _chunks() -> Iterator[tuple[str, bytes]]:
    size, rest = b"%x" % len(_BODY), _BODY + b"\r\n0\r\n\r\n"
    yield "underscore", b"0_" + size + b"\r\n" + rest
    yield "minus", b"-1\r\n" + rest
    yield "plus", b"+" + size + b"\r\n" + rest
    yield "0x", b"0x" + size + b"\r\n" + rest
    yield "17-f", b"f" * 17 + b"\r\n" + rest
    yield "no-size", b"\r\n" + rest
    yield "no-hex", b"zz\r\n" + rest
    yield "space-before", b" " + size + b"\r\n" + rest
    yield "arabic", "\u0665".encode() + b"\r\n" + rest
    yield "extension-with-lf", size + b";a\nb\r\n" + rest
    yield "extension-with-cr", b"2\r\r;a\r\n" + rest
    yield "extension-of-1-mb", size + b";" + b"a" * _MIB + b"\r\n" + rest
    yield "size-of-1-mb", b"0" * _MIB + size + b"\r\n" + rest
    yield "last-with-lf", size + b"\r\n" + _BODY + b"\r\n0\n\r\n"
    yield "lf-only", size + b"\n" + _BODY + b"\n0\n\n"
    yield "cr-only", size + b"\r" + _BODY + b"\r0\r\r"
    yield "data-too-long", size + b"\r\n" + _BODY + b"more\r\n0\r\n\r\n"
    yield "no-crlf-after-data", size + b"\r\n" + _BODY + b"0\r\n\r\n"


def _fields() -> Iterator[tuple[str, bytes]]:
    yield "cr-in-value", b"X: a\rb\r\n"
    yield "cr-before-field", b"X: a\rContent-Length: 0\r\n"
    yield "nul-in-value", b"X: a\0b\r\n"
    yield "nul-in-name", b"X\0: a\r\n"
    yield "obs-fold", b"X: a\r\n b\r\n"
    yield "obs-fold-tab", b"X: a\r\n\tContent-Length: 0\r\n"
    yield "space-before-colon", b"X : a\r\n"
    yield "tab-before-colon", b"X\t: a\r\n"
    yield "no-colon", b"X\r\n"
    yield "no-name", b": a\r\n"
    yield "name-with-space", b"X Y: a\r\n"
    yield "name-not-ascii", "Xé: a\r\n".encode()
    yield "name-in-brackets", b"X(y): a\r\n"
    yield "bare-lf", b"X: a\n"
    yield "lf-before-field", b"X: a\nContent-Length: 0\r\n"
    yield "two-hosts", b"Host: evil\r\n"
    yield "two-content-types", b"Content-Type: text/plain\r\n"
    yield "129-fields", b"".join(b"X-%d: a\r\n" % at for at in range(129))
    yield "value-of-9-kb", b"X: " + b"a" * 9000 + b"\r\n"
    yield "name-of-9-kb", b"X" * 9000 + b": a\r\n"


def _opening(line: bytes) -> bytes:
    good = head(HERE, AUTHORIZATION, FORM_TYPE, _LENGTH)
    return line + good[good.index(b"\r\n") :] + _BODY


def _openings() -> Iterator[tuple[str, bytes]]:
    path = HERE.encode()
    good = head(HERE, AUTHORIZATION, FORM_TYPE, _LENGTH)
    yield "line-of-9-kb", _opening(b"POST " + path + b"?" + b"a" * 9000 + b" HTTP/1.1")
    yield "tab-before-first-field", good.replace(b"\r\nHost", b"\r\n\tHost") + _BODY
    yield "space-before-first-field", good.replace(b"\r\nHost", b"\r\n Host") + _BODY
    yield "lf-only", good.replace(b"\r\n", b"\n") + _BODY
    yield "lf-at-the-end", good[:-2] + b"\n" + _BODY
    yield "cr-only", good.replace(b"\r\n", b"\r") + _BODY + b"\r\n\r\n"
    yield "nul-in-target", _opening(b"POST " + path + b"\0 HTTP/1.1")
    yield "target-of-any-bytes", _opening(b"POST " + path + b"\xff HTTP/1.1")
    yield "query-of-any-bytes", _opening(b"POST " + path + b"?\xe9 HTTP/1.1")
    yield "options-of-all", b"OPTIONS * HTTP/1.1\r\nHost: gateway\r\n\r\n"
    yield "tab-in-line", _opening(b"POST\t" + path + b" HTTP/1.1")
    yield "two-spaces", _opening(b"POST  " + path + b" HTTP/1.1")
    yield "space-in-target", _opening(b"POST " + path + b" x HTTP/1.1")
    yield "method-with-nul", _opening(b"PO\0ST " + path + b" HTTP/1.1")
    yield "method-in-brackets", _opening(b"PO(ST " + path + b" HTTP/1.1")
    yield "method-of-9-kb", _opening(b"P" * 9000 + b" " + path + b" HTTP/1.1")
    yield "http-2", _opening(b"POST " + path + b" HTTP/2.0")
    yield "http-1.10", _opening(b"POST " + path + b" HTTP/1.10")
    yield "http-1,1", _opening(b"POST " + path + b" HTTP/1,1")
    yield "http-arabic", _opening(b"POST " + path + " HTTP/1.\u0661".encode())
    yield "lower-case-http", _opening(b"POST " + path + b" http/1.1")
    yield "http-0.9", b"GET " + path + b"\r\n\r\n"
    yield "http-2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield "tls", bytes.fromhex("16030100c8010000c40303") + b"\r\n\r\n"
    yield (
        "no-host",
        head(HERE, AUTHORIZATION, FORM_TYPE, _LENGTH).replace(b"Host: gateway\r\n", b""),
    )
    yield (
        "chunked-by-http-1.0",
        _opening(b"POST " + path + b" HTTP/1.0").replace(_LENGTH.encode(), _CHUNKED.encode()),
    )
    yield "head-of-1-mb", good[:-2] + b"X-Y: z\r\n" * (_MIB // 8)
    yield "nothing-but-bytes", b"\xff\xfe\x00" * 50 + b"\r\n\r\n"


def _targets() -> Iterator[tuple[str, bytes]]:
    path = HERE.encode()
    for name, target in {
        "absolute": b"https://evil.test" + path,
        "absolute-of-ours": b"http://gateway" + path,
        "absolute-with-user": b"http://gateway@evil.test" + path,
        "at-sign": b"@evil.test" + path,
        "authority": b"evil.test:80",
        "asterisk": b"*",
        "backslash": b"/v1\\..\\gateway",
        "dots": b"/v1/../gateway/x",
        "encoded-dots": b"/v1/%2e%2E/gateway/x",
        "fragment": path + b"#x",
        "no-slash": b"v1/x",
    }.items():
        yield name, _opening(b"POST " + target + b" HTTP/1.1")


_HARMLESS: Final = frozenset({"extension-of-1-mb", "size-of-1-mb", "two-spaces"})
_COMPILED_ONLY: Final = frozenset({"2-64", "17-f"})


def _all() -> Iterator[tuple[str, str, bytes]]:
    for kind, mark in ((FORM_TYPE, ""), (_PLAIN, "-no-upload")):
        for row, lines in (("length", _lengths()), ("coding", _codings())):
            for name, fields, body in lines:
                yield row, name + mark, head(HERE, AUTHORIZATION, kind, *fields) + body
        for name, body in _chunks():
            yield "chunks", name + mark, head(HERE, AUTHORIZATION, kind, _CHUNKED) + body
        start = head(HERE, AUTHORIZATION, kind, _LENGTH).removesuffix(b"\r\n")
        for name, field in _fields():
            yield "fields", name + mark, start + field + b"\r\n" + _BODY
    for row, cases in (("opening", _openings()), ("target", _targets())):
        for name, data in cases:
            yield row, name, data


FRAMINGS: Final = tuple(
    Framing(
        row,
        name,
        data,
        passes=name.removesuffix("-no-upload") in _HARMLESS,
        compiled_only=name.removesuffix("-no-upload") in _COMPILED_ONLY,
    )
    for row, name, data in _all()
)
