"""An exchange whose client, upstream and ledger are played by the test: no socket is there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpResponseParser, RawResponseMessage

from gateway.auth.principal import Principal
from gateway.choices import Delivery, Hash
from gateway.delivery.admitted import Admitted
from gateway.delivery.relay.exchange import Exchange
from gateway.delivery.relay.parties import Carried, Relays, Streamed, Upstream
from gateway.limits.minimum_rate import Floor
from gateway.limits.watch import Watch
from gateway.multipart import declared_boundaries
from gateway.records.bucket import Entry
from gateway.records.relay_batch import OnKept
from gateway.routes import Route
from gateway.uploads.ids import new_id
from gateway.uploads.record import Target, Terms, Upload
from tests.gateway.delivery.bodies import CONTENT_TYPE, Part, encode

BODY = encode(Part("file", b"x" * 40, "a.png"))
LINES = ((b"X-Client", b"1"), (b"Content-Length", b"%d" % len(BODY)))
HEAD = b"POST /v1 HTTP/1.1\r\nHost: chatkitty\r\nX-Client: 1\r\nContent-Length: %d\r\n\r\n" % len(
    BODY
)
CHUNKED_HEAD = b"POST /v1 HTTP/1.1\r\nHost: chatkitty\r\nTransfer-Encoding: chunked\r\n\r\n"
TIMEOUT = 60.0
FAR = 1_000_000.0
"""Longer than any clock of an exchange runs."""

Told = TypeVar("Told")


@dataclass
class Client:
    """A front that remembers what it was told."""

    heard: list[str] = field(default_factory=list)
    answers: list[tuple[int, bytes, bool]] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)
    rest: aiohttp.StreamReader | None = None

    @property
    def waits(self) -> bool:
        """Whether it is made to wait."""
        return self.heard[-1:] == ["pause"]

    def pause(self) -> None:
        self.heard.append("pause")

    def resume(self) -> None:
        self.heard.append("resume")

    def answer(
        self, head: RawResponseMessage, held: bytes, rest: aiohttp.StreamReader | None
    ) -> None:
        self.answers.append((head.code, held, rest is None))
        self.rest = rest

    def refuse(self, error: Exception) -> None:
        self.refusals.append(error)


@dataclass
class Line:
    """A connection to the upstream."""

    written: bytes = b""
    ended: list[bool] = field(default_factory=list)
    heard: bool = False

    def begin(self, carried: Carried, *, bodiless: bool = False) -> None: ...

    def stream(self, to: Streamed) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def write(self, data: bytes) -> None:
        self.written += data

    def end(self, *, reusable: bool) -> None:
        self.ended.append(reusable)


@dataclass
class Lines:
    """The connections to the upstream: one that is idle, or one that is still to be made."""

    line: Line = field(default_factory=Line)
    idle: bool = True
    host: str = "chatkitty"
    connected: asyncio.Future[Upstream] | None = None

    def take(self) -> Upstream | None:
        return self.line if self.idle else None

    async def connect(self) -> Upstream:
        self.connected = asyncio.get_running_loop().create_future()
        return await self.connected


@dataclass
class Book:
    """Records that are kept when the test says so."""

    asked: list[Upload] = field(default_factory=list)
    kept: OnKept | None = None
    completed: asyncio.Future[None] | None = None

    def keep_relayed(self, upload: Upload, concurrent: int, on_kept: OnKept) -> None:  # noqa: ARG002 - the protocol's
        self.asked.append(upload)
        self.kept = on_kept

    async def complete_relayed(self, upload: Upload, entry: Entry) -> None:  # noqa: ARG002 - the protocol's
        self.asked.append(upload)
        self.completed = asyncio.get_running_loop().create_future()
        await self.completed


@dataclass
class Workers:
    """The tasks that were sent."""

    tasks: list[tuple[str, str]] = field(default_factory=list)

    def send(self, name: str, upload_id: str) -> None:
        self.tasks.append((name, upload_id))


class Stage:
    """All parties of one exchange, and the loop that its tasks run on."""

    def __init__(
        self,
        *,
        idle: bool = True,
        length: int | None = len(BODY),
        until: float | None = None,
        keyed: bool = False,
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.client, self.lines = Client(), Lines(idle=idle)
        self.book, self.workers = Book(), Workers()
        self.under_way = Watch(FAR)
        admitted = admitted_upload(length, until)
        relays = Relays(
            pool=self.lines,
            ledger=self.book,
            queue=self.workers,
            under_way=self.under_way,
            hash=Hash.OFF,
            body_timeout=TIMEOUT,
            upstream_timeout=TIMEOUT,
            floor=Floor(1, TIMEOUT / 2),
        )
        lines = () if length is None else LINES
        entry = Entry(admitted.receiving(), "etag") if keyed else None
        self.exchange = Exchange(relays, admitted, lines, self.client, entry)

    @property
    def line(self) -> Line:
        return self.lines.line

    def do(self, act: Callable[[], Told]) -> Told:
        """Do something within the loop, and let tasks go as far as they come."""
        return self.loop.run_until_complete(self._done(act))

    async def _done(self, act: Callable[[], Told]) -> Told:
        told = act()
        for _ in range(5):
            await asyncio.sleep(0)
        return told

    def connect(self, error: Exception | None = None) -> None:
        """Let the upstream be reached, or not."""
        connected = self.lines.connected
        assert connected is not None
        if error is not None:
            self.do(lambda: connected.set_exception(error))
        else:
            self.do(lambda: connected.set_result(self.line))

    def answer(self, status: int, body: bytes = b"{}") -> None:
        """Let a whole answer come from the upstream."""
        self.do(lambda: self._come(status, len(body), body, body))

    def answer_in_stream(self, status: int, body: bytes) -> None:
        """Let a whole answer come that is not plain: by the parser's stream."""
        self.do(lambda: self._come(status, len(body), body, None))

    def begin_answer(self, status: int, length: int) -> HttpResponseParser:
        """Let the head of an answer come; its body comes by what is returned."""
        return self.do(lambda: self._come(status, length, b"", None))

    def break_off(self) -> None:
        """Let the upstream go away in the middle of that body."""
        self.do(lambda: self._body.set_exception(aiohttp.ClientPayloadError()))

    def _come(
        self, status: int, length: int, body: bytes, whole: bytes | None
    ) -> HttpResponseParser:
        protocol = BaseProtocol(self.loop)
        protocol.connection_made(asyncio.Transport())  # else nobody would wait for the body
        parser = HttpResponseParser(
            protocol, self.loop, 2**22, read_until_eof=True, auto_decompress=False
        )
        head = b"HTTP/1.1 %d Reason\r\nContent-Length: %d\r\n\r\n" % (status, length)
        ((message, self._body),), _, _ = parser.feed_data(head + body)
        self.exchange.upstream_answers(message, self._body if whole is None else whole)
        return parser

    def keep(self, error: Exception | None = None) -> None:
        """Let the ledger say what became of the record."""
        kept = self.book.kept
        assert kept is not None
        self.do(lambda: kept(error))

    def close(self) -> None:
        """Let the loop go."""
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.do(lambda: None)
        self.loop.close()


def admitted_upload(length: int | None, until: float | None) -> Admitted:
    route = Route("other", Delivery.RELAY, None, 1000, Terms(), frozenset())
    return Admitted(
        upload_id=new_id(),
        request_id="request",
        principal=Principal("alice"),
        authorization=None,
        route=route,
        target=Target("POST", "/v1"),
        boundaries=declared_boundaries(CONTENT_TYPE),
        content_length=length,
        body_limit=10_000,
        received_at=datetime.now(UTC),
        token_until=None,
        body_until=until,
    )
