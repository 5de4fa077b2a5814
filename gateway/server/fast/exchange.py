"""One upload on its way through: chunks to the upstream as they come, its answer to the client."""

import asyncio
import time
from collections.abc import Coroutine
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.http import RawRequestMessage, RawResponseMessage
from multidict import CIMultiDict

from gateway.delivery import relay
from gateway.delivery.admitted import Admitted
from gateway.delivery.pool import UpstreamConnection
from gateway.delivery.tap import Observation, Tap
from gateway.errors import (
    BodyTimeout,
    UploadAborted,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.multipart import Limits
from gateway.problems import problem_of
from gateway.server import headers
from gateway.server.answers import document_of
from gateway.server.context import SERVER
from gateway.server.fast import wire
from gateway.server.services import Services
from gateway.telemetry import get_logger

if TYPE_CHECKING:
    from gateway.server.fast.connection import Connection

log = get_logger(__name__)

_LINGER_SECONDS: Final = 10.0
"""How long a client that was answered early may go on sending, to nobody."""

_SMALLEST_READ: Final = 64 * 1024
_LARGEST_READ: Final = 1024 * 1024
"""Bytes that one read may take: the more, the less it costs, and the more waits to be sent.

A client that fills its reads gets larger ones, an upstream that does not keep up smaller ones.
"""

_NO_BODY: Final = frozenset({204, 304})


class Exchange:
    """Pumps one admitted upload; what happens on either connection ends up here."""

    __slots__ = (
        "_active", "_admitted", "_answered", "_client", "_end", "_full", "_head", "_keeping",
        "_left", "_over", "_read_size", "_services", "_started", "_tap", "_task", "_timer",
        "_unsent", "_upstream",
    )  # fmt: skip

    def __init__(
        self, client: "Connection", services: Services, admitted: Admitted, head: RawRequestMessage
    ) -> None:
        self._client = client
        self._services = services
        self._admitted = admitted
        self._head = head
        self._left = admitted.content_length or 0
        self._tap = Tap(admitted.boundaries, Limits(), services.settings.hash)
        self._started = self._active = time.monotonic()
        self._read_size = client.read_size()
        self._unsent = b""
        """The request's head, and what came of its body before it could be sent."""
        self._upstream: UpstreamConnection | None = None
        self._full = False
        self._task: asyncio.Task[None] | None = None
        self._keeping = False
        self._answered = False
        self._over = False
        self._end: asyncio.Future[None] | None = None
        self._timer = self._client.loop.call_later(self._shortest(), self._check)

    def begin(self) -> None:
        """Ask for the body, and find a connection to the upstream."""
        received = self._head.headers
        outgoing = headers.of_relay(received)
        target = self._admitted.target
        pool = self._services.pool
        self._unsent = wire.request_head(target.method, target.path, pool.host, outgoing.items())
        if "Expect" in received:
            self._client.send(wire.CONTINUE)
        if (connection := pool.take()) is not None:
            self._attach(connection)
        else:
            self._client.pause()
            self._run(self._connect())

    async def wait_for_end(self, seconds: float | None) -> None:
        """Return when the exchange is over, or after so many seconds."""
        self._end = self._end or self._client.loop.create_future()
        await asyncio.wait([self._end], timeout=seconds)

    # --- the client's side -----------------------------------------------------------------------

    def client_sends(self, data: bytes) -> bytes:
        """Take the next bytes of the body; returns what is beyond its end."""
        if len(data) > self._left:
            data, rest = data[: self._left], data[self._left :]
        else:
            rest = b""
        if not data:
            return rest
        self._left -= len(data)
        if self._answered:
            if not self._left:
                self._leave(reusable=True)
            return rest
        self._active = time.monotonic()
        if len(data) == self._read_size < _LARGEST_READ:
            self._set_read_size(self._read_size * 2)
        self._tap.observe(data)
        if self._upstream is None:
            self._unsent += data
        elif self._unsent:
            self._upstream.write(self._unsent + data)
            self._unsent = b""
        else:
            self._upstream.write(data)
        return rest

    def client_lost(self) -> None:
        """The client has gone: an upload that is not whole goes no further."""
        if self._answered:
            self._leave(reusable=False)
        elif self._left and self._task is None:
            self._log("request.aborted", reason="the client went away")
            self._close(UploadAborted("the body ended before it was complete"))

    # --- the upstream's side ---------------------------------------------------------------------

    def upstream_full(self) -> None:
        """Slow the client down to what the upstream takes."""
        self._full = True
        self._active = time.monotonic()
        if not self._answered:
            self._client.pause()
            self._set_read_size(max(_SMALLEST_READ, self._read_size // 2))

    def upstream_drained(self) -> None:
        """Let the client go on."""
        self._full = False
        self._active = time.monotonic()
        self._client.resume()

    def upstream_lost(self) -> None:
        """The upstream has gone without an answer."""
        self._close(UpstreamUnavailable("ChatKitty cannot be reached"))

    def upstream_answers(self, head: RawResponseMessage, body: aiohttp.StreamReader) -> None:
        """The upstream answers, perhaps before it has read all of the body."""
        self._active = time.monotonic()
        self._run(self._pass_on(head, body))

    # --- within ----------------------------------------------------------------------------------

    def _set_read_size(self, size: int) -> None:
        self._read_size = size
        self._client.set_read_size(size)

    async def _connect(self) -> None:
        connection = await self._services.pool.connect()
        self._task = None
        self._attach(connection)
        if self._left and not self._client.connected:  # it went away in the meantime
            self.client_lost()
            return
        if self._left < (self._admitted.content_length or 0):
            connection.write(self._unsent)
            self._unsent = b""
        self._client.resume()

    def _attach(self, connection: UpstreamConnection) -> None:
        self._upstream = connection
        connection.begin(self)

    async def _pass_on(self, head: RawResponseMessage, body: aiohttp.StreamReader) -> None:
        """Hold the answer until the upload's record is kept, then give it to the client."""
        held = await relay.hold(body)
        self._keeping = True
        await self._services.relay.keep(
            self._admitted, self._observation, relay.AnswerHead(head.code, head.headers), held
        )
        self._keeping = False
        answer = self._answer_headers(headers.to_client(head.headers))
        chunked = self._frame(answer, head.code, held if body.is_eof() else None)
        opening = wire.answer_head(head.code, head.reason, answer.items())
        self._answered = True
        self._client.send(opening + (wire.chunk(held) if chunked and held else held))
        while data := await body.readany():
            self._active = time.monotonic()
            self._client.send(wire.chunk(data) if chunked else data)
            await self._client.drained()
        if chunked:
            self._client.send(wire.chunk(b""))
        self._finish(head.code)

    def _observation(self) -> Observation:
        return relay.observed(self._tap, ended=not self._left)

    def _answer_headers(self, answer: CIMultiDict[str]) -> CIMultiDict[str]:
        answer["X-Request-Id"] = self._admitted.request_id
        answer["Upload-Id"] = self._admitted.upload_id
        answer.setdefault("Server", SERVER)
        answer.setdefault("Date", _date(int(time.time())))
        if self._head.should_close:
            answer["Connection"] = "close"
        return answer

    def _frame(self, answer: CIMultiDict[str], status: int, whole: bytes | None) -> bool:
        """Say how long the answer is; whether it goes in chunks since that is not known."""
        if status in _NO_BODY or "Content-Length" in answer:
            return False
        answer.setdefault("Content-Type", "application/octet-stream")
        if whole is not None:
            answer["Content-Length"] = str(len(whole))
            return False
        answer["Transfer-Encoding"] = "chunked"
        return True

    def _run(self, work: Coroutine[None, None, None]) -> None:
        self._task = self._client.loop.create_task(self._guarded(work))

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except aiohttp.ClientError:
            self._close(UpstreamUnavailable("ChatKitty's answer was cut"))
        except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours is a 500
            self._close(error)

    def _check(self) -> None:
        """Whether whoever is to act has been silent for too long."""
        settings = self._services.settings
        if self._keeping:  # nobody but ourselves is to act
            self._active = time.monotonic()
        waits_for_client = self._left and not self._full and self._task is None
        limit = settings.body_timeout if waits_for_client else settings.upstream_timeout
        left = limit - (time.monotonic() - self._active)
        if left > 0:
            self._timer = self._client.loop.call_later(left, self._check)
        elif waits_for_client:
            self._close(BodyTimeout("the rest of the body did not come"))
        else:
            self._close(UpstreamTimeout("ChatKitty did not answer in time"))

    def _close(self, error: Exception) -> None:
        """End without an answer of the upstream's: a problem is the answer, or the cut."""
        if self._over:
            return
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()  # nothing is to be sent for a request that was given up
        if self._answered:
            log.warning("request.cut", reason=str(error), **self._ids())
            self._client.cut()
            return
        problem = problem_of(error)
        if problem.kind.status >= 500:
            log.warning(
                "request.problem",
                slug=problem.kind.slug,
                detail=problem.detail,
                exc_info=error if problem.kind.status == 500 else None,
                **self._ids(),
            )
        status, fields, body = document_of(problem, self._ids())
        answer = self._answer_headers(CIMultiDict(fields))
        self._answered = True
        self._client.send(wire.whole_answer(status, answer.items(), body))
        self._finish(status)

    def _finish(self, status: int) -> None:
        """The client has its answer: let the upstream go, and what is left of the body pass."""
        self._timer.cancel()
        if self._upstream is not None:
            self._upstream.end(reusable=not self._left)
        self._upstream = None
        self._log("request", status=status)
        if not self._left or not self._client.connected:
            self._leave(reusable=True)
        else:
            self._client.resume()
            self._timer = self._client.loop.call_later(
                _LINGER_SECONDS, lambda: self._leave(reusable=False)
            )

    def _leave(self, *, reusable: bool) -> None:
        if self._over:
            return
        self._over = True
        self._timer.cancel()
        if self._end is not None and not self._end.done():
            self._end.set_result(None)
        self._client.exchange_ended(reusable=reusable and not self._head.should_close)

    def _shortest(self) -> float:
        settings = self._services.settings
        return min(settings.body_timeout, settings.upstream_timeout)

    def _ids(self) -> dict[str, str]:
        return {"request_id": self._admitted.request_id, "upload_id": self._admitted.upload_id}

    def _log(self, event: str, **values: object) -> None:
        target = self._admitted.target
        log.info(
            event,
            method=target.method,
            path=target.path.partition("?")[0],
            seconds=round(time.monotonic() - self._started, 6),
            **values,
            **self._ids(),
        )


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    """The `Date` of an answer, made once a second."""
    return formatdate(now, usegmt=True)
