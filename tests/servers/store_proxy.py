"""An HTTP/1.1 proxy in front of the real store, which fails requests on demand."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from enum import Enum, auto
from typing import Self
from urllib.parse import urlsplit

from chaos.servers.listening import listening

BYTES_AT_ONCE = 64 * 1024
SLOW_SECONDS = 0.1
"""Seconds between two such pieces: faster than what the gateway considers stalled."""


class Fault(Enum):
    CUT_ANSWER = auto()
    """The store acts, and its answer is lost."""
    SLOW_DOWN = auto()
    """The store does not get the request, which is answered 503 SlowDown: try again."""
    REFUSE = auto()
    """The store does not get the request, which is answered 403 AccessDenied: do not try again."""
    CONFLICT = auto()
    """The store does not get the request, which is answered as AWS does while others write."""
    ANSWER = auto()
    """The store does not get the request, which is answered as the rule says."""
    UNKNOWN = auto()
    """The store does not know such requests, and answers 501 without a body."""
    HOLD = auto()
    """The store does not get the request, which is never answered."""
    WAIT = auto()
    """The store gets the request once the rule is lifted."""
    SLOW = auto()
    """The store gets the request's body slowly, until the rule is lifted."""
    LATE = auto()
    """The store acts, and its answer is held until the rule is lifted."""


ANSWERS = {
    Fault.SLOW_DOWN: (b"503 Slow Down", b"<Error><Code>SlowDown</Code></Error>"),
    Fault.CONFLICT: (
        b"409 Conflict",
        b"<Error><Code>ConditionalRequestConflict</Code></Error>",
    ),
    Fault.UNKNOWN: (b"501 Not Implemented", b""),
    Fault.REFUSE: (b"403 Forbidden", b"<Error><Code>AccessDenied</Code></Error>"),
}


DONE = b'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: 0\r\n\r\n'


@dataclass
class Rule:
    """What happens to the next `times` requests whose first line matches the pattern."""

    pattern: re.Pattern[bytes]
    fault: Fault
    times: int
    met: asyncio.Event = field(default_factory=asyncio.Event)
    lifted: asyncio.Event = field(default_factory=asyncio.Event)
    answer: tuple[bytes, bytes] | None = None
    """Status and body that replace the store's answer."""

    def applies_to(self, request_line: bytes) -> bool:
        if self.times == 0 or not self.pattern.search(request_line):
            return False
        self.times -= 1
        self.met.set()
        return True


NOT_IMPLEMENTED = Rule(
    re.compile(b""),
    Fault.ANSWER,
    times=0,
    answer=(b"501 Not Implemented", b"<Error><Code>NotImplemented</Code></Error>"),
)


class FaultProxy:
    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._host, self._port = parts.hostname, parts.port
        self._rules: list[Rule] = []
        self.url = ""
        self.ahead = 0.0
        """Seconds by which the store's answers are dated later than they are."""
        self.heedless = False
        """Whether a write that is refused for its condition looks as if it had been done."""
        self.ignorant = False
        """Whether a write with a condition is answered as one that is not implemented."""
        self.replaced: tuple[re.Pattern[bytes], bytes] | None = None
        """Replacements in the heads of answers."""
        self.asked: list[tuple[str, str]] = []
        """Method and target of each request."""
        self.heads: list[str] = []
        """The complete head."""

    @classmethod
    @asynccontextmanager
    async def start(cls, upstream: str, port: int = 0) -> AsyncIterator[Self]:
        proxy = cls(upstream)
        async with listening(proxy._serve, port) as proxy.url:
            yield proxy

    def fail(self, pattern: bytes, fault: Fault, times: int = 1_000) -> Rule:
        rule = Rule(re.compile(pattern), fault, times)
        self._rules.append(rule)
        return rule

    def answer(self, pattern: bytes, status: bytes, body: bytes = b"") -> Rule:
        """Answer requests with a status, its phrase and a body."""
        rule = self.fail(pattern, Fault.ANSWER)
        rule.answer = (status, body)
        return rule

    def mend(self) -> None:
        """Fail no request any more."""
        for rule in self._rules:
            rule.lifted.set()
        self._rules.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            upstream = await asyncio.open_connection(self._host, self._port)
            try:
                while await self._relay_one(reader, writer, *upstream):
                    pass
            finally:
                upstream[1].close()
                writer.transport.abort()

    async def _relay_one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_store: asyncio.StreamReader,
        to_store: asyncio.StreamWriter,
    ) -> bool:
        """Relay one request and its answer; returns whether the connection continues."""
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.decode().split(" ", 2)
        self.asked.append((method, target))
        self.heads.append(head.decode())
        rule = self._rule_for(head)
        if rule is not None and rule.fault is Fault.HOLD:
            await reader.read()  # until the client disconnects
            return False
        if rule is not None and rule.fault is Fault.WAIT:
            await rule.lifted.wait()
            rule = None
        slowly_until = None
        if rule is not None and rule.fault is Fault.SLOW:
            slowly_until, rule = rule.lifted, None
        answer = (rule.answer or ANSWERS.get(rule.fault)) if rule is not None else None
        await _copy(head, reader, None if answer else to_store, slowly_until=slowly_until)
        if answer:
            status, body = answer
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
            await writer.drain()
            return True
        answer_head = await from_store.readuntil(b"\r\n\r\n")
        if rule is not None and rule.fault is Fault.LATE:
            await rule.lifted.wait()
        elif rule is not None:
            return False
        if self.heedless and answer_head.startswith(b"HTTP/1.1 412 "):
            await _copy(answer_head, from_store, None)
            writer.write(DONE)
            return True
        answer_head = self._changed(answer_head)
        bodiless = head.startswith(b"HEAD ") or answer_head.startswith(b"HTTP/1.1 204")
        await _copy(answer_head, from_store, writer, with_body=not bodiless)
        return True

    def _changed(self, answer_head: bytes) -> bytes:
        if self.replaced is not None:
            answer_head = self.replaced[0].sub(self.replaced[1], answer_head)
        return _postdated(answer_head, self.ahead) if self.ahead else answer_head

    def _rule_for(self, head: bytes) -> Rule | None:
        if self.ignorant and re.search(rb"(?i)\r\nif-(none-)?match:", head):
            return NOT_IMPLEMENTED
        request_line = head.partition(b"\r\n")[0]
        return next((rule for rule in self._rules if rule.applies_to(request_line)), None)


async def _copy(
    head: bytes,
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter | None,
    *,
    with_body: bool = True,
    slowly_until: asyncio.Event | None = None,
) -> None:
    """Copy a message, or read it to its end if there is no sink."""
    if sink is not None:
        sink.write(head)
    left = _content_length(head) if with_body else 0
    while left:
        data = await source.read(min(left, BYTES_AT_ONCE))
        if not data:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(data)
        if sink is not None:
            sink.write(data)
            await sink.drain()
        if slowly_until is not None and not slowly_until.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(slowly_until.wait(), SLOW_SECONDS)


def _postdated(head: bytes, seconds: float) -> bytes:
    """An answer's head, dated as if the store's clock were `seconds` fast."""

    def later(date: re.Match[bytes]) -> bytes:
        at = parsedate_to_datetime(date[2].decode()) + timedelta(seconds=seconds)
        return date[1] + format_datetime(at, usegmt=True).encode()

    return re.sub(rb"(?i)(\r\ndate: *)([^\r]+)", later, head)


def _content_length(head: bytes) -> int:
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    assert found or b"chunked" not in head.lower(), "the proxy copies no chunked message"
    return int(found[1]) if found else 0
