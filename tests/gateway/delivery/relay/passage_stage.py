"""A passage whose client and upstream are played by the test: no socket is there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpResponseParser, RawResponseMessage

from gateway.delivery.relay.parties import Carried, Passages, Streamed, Upstream
from gateway.delivery.relay.passage import Passage, Request
from gateway.limits.minimum_rate import Floor
from gateway.limits.watch import Watch

HEAD = b"GET /v1/users HTTP/1.1\r\nHost: chatkitty\r\n\r\n"
TIMEOUT = 60.0
FAR = 1_000_000.0
"""Longer than any clock of a passage runs."""

Told = TypeVar("Told")


@dataclass
class Client:
    """A front that remembers what it was told."""

    heard: list[str] = field(default_factory=list)
    """How its reading of the body was paused and resumed."""
    statuses: list[int] = field(default_factory=list)
    body: bytes = b""
    on_answer: Callable[[], None] | None = None
    ends: list[str | Exception] = field(default_factory=list)
    """How its request ended: `whole` or `finished`, or the error or reason that ended it."""

    def pause(self) -> None:
        self.heard.append("pause")

    def resume(self) -> None:
        self.heard.append("resume")

    def answer(self, head: RawResponseMessage, begun: bytes, *, whole: bool) -> None:
        self.statuses.append(head.code)
        self.body += begun
        if self.on_answer is not None:
            self.on_answer()
        if whole:
            self.ends.append("whole")

    def send(self, data: bytes) -> None:
        self.body += data

    def finish(self) -> None:
        self.ends.append("finished")

    def refuse(self, error: Exception) -> None:
        self.ends.append(error)

    def cut(self, reason: str) -> None:
        self.ends.append(f"cut: {reason}")


@dataclass
class Line:
    """A connection to the upstream."""

    bodiless: bool = False
    heard: bool = False
    written: bytes = b""
    paused: bool = False
    streamed: Streamed | None = None
    ended: list[bool] = field(default_factory=list)

    def begin(self, carried: Carried, *, bodiless: bool = False) -> None:  # noqa: ARG002 - the protocol's
        self.bodiless = bodiless

    def write(self, data: bytes) -> None:
        self.written += data

    def stream(self, to: Streamed) -> None:
        self.streamed = to

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def end(self, *, reusable: bool) -> None:
        self.ended.append(reusable)
        self.streamed = None


@dataclass
class Lines:
    """The connections to the upstream: one that is idle, or those that are still to be made."""

    idle: bool
    host: str = "chatkitty"
    lines: list[Line] = field(default_factory=list)
    connected: asyncio.Future[Upstream] | None = None

    def take(self) -> Upstream | None:
        return self.make() if self.idle else None

    def make(self) -> Line:
        self.lines.append(Line())
        return self.lines[-1]

    async def connect(self) -> Upstream:
        self.connected = asyncio.get_running_loop().create_future()
        return await self.connected


class Stage:
    """All parties of one passage, and the loop that its tasks run on."""

    def __init__(self, *, method: str = "GET", length: int = 0, idle: bool = True) -> None:
        self.loop = asyncio.new_event_loop()
        self.client, self.pool = Client(), Lines(idle)
        self.under_way = Watch(FAR)
        passages = Passages(
            pool=self.pool,
            under_way=self.under_way,
            body_timeout=TIMEOUT,
            upstream_timeout=TIMEOUT,
            floor=Floor(1, TIMEOUT / 2),
        )
        self.passage = Passage(passages, Request(method, HEAD, length), self.client)

    @property
    def line(self) -> Line:
        """The connection that was used last."""
        return self.pool.lines[-1]

    def do(self, act: Callable[[], Told]) -> Told:
        """Do something within the loop, and let tasks go as far as they come."""
        return self.loop.run_until_complete(self._done(act))

    async def _done(self, act: Callable[[], Told]) -> Told:
        told = act()
        for _ in range(5):
            await asyncio.sleep(0)
        return told

    def begin(self) -> None:
        self.do(self.passage.begin)

    def connect(self, error: Exception | None = None) -> None:
        """Let the upstream be reached, or not."""
        connected = self.pool.connected
        assert connected is not None
        if error is not None:
            self.do(lambda: connected.set_exception(error))
        else:
            self.do(lambda: connected.set_result(self.pool.make()))

    def answer(self, status: int, body: bytes | None = b"{}") -> None:
        """Let a whole answer come from the upstream; only its head, if its body is None."""
        self.line.heard = True
        length = 100 if body is None else len(body)
        self.do(lambda: self._come(status, length, body))

    def answer_without_body(self) -> None:
        """Let an answer come that ends with its head."""
        self.do(lambda: self._come(200, 0, None))

    def _come(self, status: int, length: int, body: bytes | None) -> None:
        protocol = BaseProtocol(self.loop)
        protocol.connection_made(asyncio.Transport())
        parser = HttpResponseParser(protocol, self.loop, 2**22, read_until_eof=True)
        head = b"HTTP/1.1 %d Reason\r\nContent-Length: %d\r\n\r\n" % (status, length)
        messages: list[tuple[RawResponseMessage, aiohttp.StreamReader]]
        messages, _, _ = parser.feed_data(head + (body or b""))
        ((message, stream),) = messages
        self.passage.upstream_answers(message, stream if body is None else body)

    def more(self, data: bytes) -> None:
        """Let more of the answer's body come."""
        streamed = self.line.streamed
        assert streamed is not None
        self.do(lambda: streamed.upstream_sends(data))

    def close(self) -> None:
        """Let the loop go."""
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.do(lambda: None)
        self.loop.close()
