"""An upstream that answers with the bytes that a test has for a path; and a table of requests."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import product, zip_longest
from pathlib import Path
from typing import Final, NamedTuple

from gateway.stack.ports import HOST
from tests.flows.raw import FORM_TYPE, chunked, form, head
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS

AUTHORIZATION: Final = f"Authorization: Bearer {TOKENS['alice']}"
USUAL: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_BETWEEN: Final = frozenset({"host", "content-length", "transfer-encoding"})
"""Headers that concern only the gateway and the upstream."""


class Script(NamedTuple):
    """What the upstream sends, and whether it closes the connection behind that.

    `early`: before it reads the body; `after`: when it has waited for that many seconds; `then`:
    more of it, each behind a wait. It `lingers` for some seconds before it closes.
    """

    data: bytes
    closes: bool = False
    early: bool = False
    after: float = 0.0
    then: tuple[tuple[float, bytes], ...] = ()
    lingers: float = 0.0


class Came(NamedTuple):
    """A request as it came to the upstream."""

    opening: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass
class Scripted:
    """Answers paths by their scripts, all others as usual; HEAD gets the head only."""

    scripts: dict[str, Script] = field(default_factory=dict)
    came: list[Came] = field(default_factory=list)
    url: str = ""
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def unsent(self) -> int:
        """Bytes of answers that wait to be read."""
        return sum(writer.transport.get_write_buffer_size() for writer in self._open)

    def take(self) -> list[Came]:
        """What has arrived since the last call."""
        came, self.came = self.came, []
        return came

    @classmethod
    @asynccontextmanager
    async def open(cls, tls: ssl.SSLContext | None = None) -> AsyncIterator["Scripted"]:
        upstream = cls()
        server = await asyncio.start_server(upstream._serve, HOST, 0, limit=2**20, ssl=tls)
        async with server:
            scheme = "https" if tls is not None else "http"
            upstream.url = f"{scheme}://{HOST}:{server.sockets[0].getsockname()[1]}"
            yield upstream
            for writer in list(upstream._open):
                writer.close()
            while upstream._open:
                await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        writer.close()
        self._open.discard(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        received = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        opening, *lines = received.removesuffix("\r\n\r\n").split("\r\n")
        fields = [(name.lower(), value) for name, _, value in (x.partition(": ") for x in lines)]
        method, target, _ = opening.split(" ")
        script = self.scripts.get(target, Script(USUAL))
        body = b"" if script.early else await _body(reader, dict(fields))
        own = tuple(sorted(each for each in fields if each[0] not in _BETWEEN))
        self.came.append(Came(opening, own, body))
        data = script.data
        if method == "HEAD" and script.data.startswith(b"HTTP/1.1 2"):
            data = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        await asyncio.sleep(script.after)
        writer.write(data)
        await writer.drain()
        for seconds, more in script.then:
            await asyncio.sleep(seconds)
            writer.write(more)
            await writer.drain()
        await asyncio.sleep(script.lingers)
        return not (script.closes or script.early)


async def _body(reader: asyncio.StreamReader, fields: dict[str, str]) -> bytes:
    if fields.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(fields.get("content-length", 0)))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body


# --- gateways ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """The same gateway twice, with either engine, in front of the same upstream."""

    gateways: dict[str, Gateway]
    upstream: Scripted


@asynccontextmanager
async def open_pair(
    directory: Path,
    common: dict[str, str],
    redis_urls: tuple[str, ...] = (),
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Pair]:
    """Each engine with a Redis of its own, if there are any, and an upstream that speaks `tls`."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(Scripted.open(tls))
        gateways = {}
        for engine, redis_url in zip_longest(("fast", "plain"), redis_urls):
            own = {
                **common,
                "GATEWAY_UPSTREAM_URL": upstream.url,
                "GATEWAY_UPSTREAM_TIMEOUT": "2",
                "GATEWAY_DELIVERY": "relay",
                "GATEWAY_AUTH": "static",
                "GATEWAY_ENGINE": engine,
            }
            if redis_url is not None:
                own["GATEWAY_REDIS_URL"] = redis_url
            started = Gateway.start(own, directory)
            gateways[engine] = await asyncio.to_thread(started.__enter__)
            stack.callback(started.__exit__, None, None, None)
        yield Pair(gateways, upstream)


# --- requests ------------------------------------------------------------------------------------

_METHODS: Final = (
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "SEARCH",
    "PURGE", "LINK", "CONNECT", "TRACE", "get", "NONE", "G\tT",
)  # fmt: skip
_TARGETS: Final = (
    "/", "/v1", "/v1/", "/v1/users?page=0&size=25", "/v1/users?", "/v1/users?a=%20&b=%zz&c='",
    "/v1/a%20b", "/v1/%61", "/v1/%c3%a9", "/v1/%C3%A9", "/v1/%e9", "/v1/%2e%2e/x", "/v1/../x",
    "/v1/./x", "/v1//x", "//v1", "/v1/a%2Fb", "/v1/a;b=1", "/v1/%253a", "/v1/a%00", "/v1/a\\b",
    "/v1/a#b", "/v1/é", "/v1/~user/(x)", "/v1/@me:1", "/v1/%", "/v1/%2", "*", "http://other/v1",
    "v1", "/gateway", "/gateway/", "/gateway/none", "/GATEWAY/healthz", "/gateway/healthz",
    "/gateways", "/v1/" + "x" * 3000, "/v1/x?" + "y" * 3000, "/v1/" + "x" * 9000,
)  # fmt: skip
_HEADERS: Final = (
    ("X-b: 1", "x-B: 2"),
    ("Set-Cookie: a=1", "Set-Cookie: b=2"),
    ("Cookie: a=1", "Cookie: b=2"),
    ("X-Empty:",),
    ("X-Spaces:   a  b   ",),
    ("X-Bytes: \xff\xe9",),
    ("X: a\0b",),
    ("X: a", " folded"),
    ("X : a",),
    ("X",),
    (": a",),
    ("Host: other",),
    ("Authorization: Basic YTpi",),
    ("Authorization: Bearer \xe9",),
    ("Connection: close",),
    ("Connection: keep-alive, X-b", "X-b: 1"),
    ("Connection: content-length",),
    ("Connection: close, close",),
    ("Keep-Alive: timeout=5",),
    ("Proxy-Connection: keep-alive",),
    ("TE: trailers",),
    ("Trailer: X",),
    ("Upgrade: websocket", "Connection: Upgrade"),
    ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: x"),
    ("Upgrade: x",),
    ("Expect: 100-continue",),
    ("Expect: 100-Continue, x",),
    ("Expect: something",),
    ("Forwarded: for=1.2.3.4", "X-Forwarded-For: 1.2.3.4", "X-Real-IP: 1.2.3.4"),
    ("Via: 1.1 a",),
    ("X-Request-Id: mine",),
    ("X-Request-Id: not mine",),
    ("X_Request_Id: mine",),
    ("Content_Length: 3",),
    ("Idempotency-Key: k",),
    ("Prefer: wait=1",),
    ("Range: bytes=0-1", "If-Range: x"),
    ('If-None-Match: "x"',),
    ("Accept-Encoding: gzip, br",),
    ("Accept-Encoding: gzip", "accept-encoding: br"),
    ("Origin: https://a", "Access-Control-Request-Method: GET"),
    ("Tus-Resumable: 1.0.0",),
    ("Upload-Offset: 5",),
    ("Upload-Complete: ?0",),
    ("Upload-Complete: ?1",),
    ("Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",),
    ("Grant: g",),
    (FORM_TYPE,),
    ("Content-Type: text/plain; charset=utf-8",),
    ("Content-Type: a/b", "Content-Type: a/c"),
    tuple(f"X-{number}: {'x' * 200}" for number in range(100)),
    tuple(f"X-{number}: x" for number in range(200)),
    (f"X: {'x' * 9000}",),
)
_FRAMINGS: Final = (
    (("Content-Length: 0",), b""),
    (("Content-Length: 2",), b"hi"),
    (("Content-Length: 002",), b"hi"),
    (("Content-Length: +2",), b"hi"),
    (("Content-Length: -2",), b"hi"),
    (("Content-Length: 0x2",), b"hi"),
    (("Content-Length: two",), b"hi"),
    (("Content-Length:",), b"hi"),
    (("Content-Length: 2", "Content-Length: 2"), b"hi"),
    (("Content-Length: 2", "Content-Length: 1"), b"hi"),
    (("Content-Length: 2, 2",), b"hi"),
    (("Content-Length: 99999999999999999999",), b"hi"),
    (("Content-Length: 9999999999999",), b"hi"),
    (("Content-Length: 100000",), b"x" * 100_000),
    (("Content-Length: 1000000",), b"x" * 1_000_000),
    (("Content-Length: 2", "Expect: 100-continue"), b"hi"),
    (("Content-Length: 2", "Connection: close"), b"hi"),
    (("Content-Length: 2", "Content-Type: application/offset+octet-stream"), b"hi"),
    (("Transfer-Encoding: chunked",), chunked(b"hello" * 1000, 700)),
    (("Transfer-Encoding: chunked", "Expect: 100-continue"), chunked(b"hello", 2)),
    (("Transfer-Encoding: chunked", "Trailer: X"), b"2\r\nhi\r\n0\r\nX: y\r\n\r\n"),
    (("Transfer-Encoding: gzip, chunked",), chunked(b"hello", 2)),
    (("Transfer-Encoding: gzip",), b"hi"),
    (("Transfer-Encoding: identity",), b""),
    (("Transfer-Encoding: chunked", "Content-Length: 2"), b"hi"),
    (("Transfer-Encoding: chunked",), b"zz\r\nhi\r\n0\r\n\r\n"),
)
_OPENINGS: Final = (
    b"GET /v1 HTTP/1.1\r\n\r\n",
    b"GET /v1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /v1 HTTP/1.1\r\nHost:\r\n\r\n",
    b"GET /v1 HTTP/1.1\nHost: a\n\n",
    b"\r\n\r\nGET /v1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1 HTTP/1.0\r\n\r\n",
    b"GET /v1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /v1 HTTP/2.0\r\nHost: a\r\n\r\n",
    b"GET /v1 HTTP/1.2\r\nHost: a\r\n\r\n",
    b"GET /v1\r\n\r\n",
    b"GET  /v1  HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)


def requests() -> Iterator[tuple[str, bytes]]:
    """By their names: each deviates from a plain request in one thing."""
    for method in _METHODS:
        yield f"method {method!r}", head("/v1/users", AUTHORIZATION, method=method)
    for target, method in product(_TARGETS, ("GET", "HEAD", "DELETE")):
        yield f"{method} {target[:40]}", _spelled(target, AUTHORIZATION, method=method)
    for headers, method in product(_HEADERS, ("GET", "HEAD", "OPTIONS")):
        name = f"{method} {' / '.join(headers)[:50]}"
        yield name, _spelled("/v1/users", *headers, method=method)
    for (framing, body), method in product(_FRAMINGS, ("POST", "PUT", "GET", "DELETE")):
        yield f"{method} {framing} {body[:9]!r}", head("/v1/x", *framing, method=method) + body
    for opening in _OPENINGS:
        yield repr(opening)[:60], opening
    upload = form(b"x")
    length = f"Content-Length: {len(upload)}"
    yield "upload", head("/v1/channels/1/messages", AUTHORIZATION, FORM_TYPE, length) + upload


def _spelled(target: str, *headers: str, method: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: gateway", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"
