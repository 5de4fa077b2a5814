"""The client's side of a request on the fast engine, shared by uploads and passed requests.

A front answers one request, and then discards the rest of the request's body. After the last answer
on a connection it discards everything that still comes: a reset of the connection could otherwise
keep the client from reading the answer (RFC 9112 section 9.6).
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from aiohttp import hdrs
from aiohttp.http import RawRequestMessage

from gateway.delivery.relay import wire
from gateway.errors import BodyTimeout, GatewayError, UploadAborted
from gateway.limits.quota import Demand
from gateway.limits.shared_quota import Quotas, Ticket
from gateway.limits.watch import Watch
from gateway.metrics.catalogue import PROBLEMS
from gateway.metrics.requests import ABORTED, CUT
from gateway.multipart import MultipartError
from gateway.problems import Problem, problem_of
from gateway.server.connection.linger import LINGER_BYTES, LINGER_SECONDS, TOO_SLOW_SECONDS
from gateway.server.fast import answer
from gateway.server.fields.target import logged_path
from gateway.server.services import Services
from gateway.telemetry import get_logger, log_request

if TYPE_CHECKING:
    from gateway.tracing.otel import Span

log = get_logger(__name__)

CLIENT_LOST: Final = "the client went away"
_SERVER_FAULT: Final = 500


class ClientSide(Protocol):
    """What a front needs from the connection to its client."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the connection."""

    @property
    def connected(self) -> bool:
        """Whether the client is still there."""

    @property
    def peername(self) -> object:
        """The client's address."""

    @property
    def has_more(self) -> bool:
        """Whether bytes have arrived that belong to no request yet."""

    def send(self, data: bytes) -> None:
        """Send to the client, if it is still there."""

    async def drained(self) -> None:
        """Wait until the client has taken most of what was sent, or has gone."""

    def pause(self) -> None:
        """Stop reading from the client for now."""

    def resume(self) -> None:
        """Resume reading from the client."""

    def narrow(self) -> None:
        """Make reads smaller from now on."""

    def give_to(self, taker: Callable[[bytes], bytes], *, all_of_it: bool = False) -> None:
        """Give the body's bytes to `taker` from now on; it returns the bytes after the body.

        `all_of_it`: no further request is accepted, and its bytes are dropped.
        """

    def end_answers(self) -> None:
        """Send nothing more, but continue reading."""

    def cut(self) -> None:
        """Close the connection at once."""

    def request_ended(self, *, reusable: bool) -> None:
        """The request is over; `reusable`: the next one may follow on the connection."""


class Way(Protocol):
    """A request's way to the upstream, and the answer's way back: an exchange or a passage."""

    left: int
    """Bytes of the body that are still to come."""

    def client_lost(self) -> None:
        """Handle the client's disconnection."""

    def fail(self, error: Exception) -> None:
        """End it with the error, if the upstream has not answered yet."""

    def close(self) -> None:
        """End it: no more of the answer is needed."""


_Way = TypeVar("_Way", bound=Way)


class Stage(IntEnum):
    """The stage of a request."""

    ASKING = 0
    """The caller's quota is being checked."""
    WORKING = 1
    """The request is with the upstream."""
    STREAMING = 2
    """The client receives an answer that is not complete yet."""
    LINGERING = 3
    """The request was answered; the rest of its body is discarded."""
    OVER = 4


# Module names, since looking up a member of an enumeration is slow (docs/decisions/0005).
ASKING: Final = Stage.ASKING
WORKING: Final = Stage.WORKING
STREAMING: Final = Stage.STREAMING
LINGERING: Final = Stage.LINGERING
OVER: Final = Stage.OVER


class SocketFront(ABC, Generic[_Way]):
    """The front of one request. Times are those of the monotonic clock, in seconds."""

    __slots__ = (
        "_aborted", "_answered_at", "_behind", "_client", "_end", "_head", "_last", "_left", "_own",
        "_passing", "_sent", "_services", "_span", "_stage", "_started", "_status", "_ticket",
        "_too_slow", "_under_way", "way",
    )  # fmt: skip

    way: _Way
    """Where the request goes and its answer comes from; the subclass sets it."""

    def __init__(
        self,
        client: ClientSide,
        services: Services,
        under_way: Watch,
        head: RawRequestMessage,
        started: float,
        request_id: str,
    ) -> None:
        """Answer the request with this `head`; its last byte arrived at `started`.

        While the front discards the rest of a body, it is a member of `under_way`.
        """
        self._client = client
        self._services = services
        self._under_way = under_way
        self._head = head
        self._started = started
        self._own = [(b"X-Request-Id", request_id.encode())]
        """The gateway's own headers of the answer."""
        self._status = 0
        """The status of the answer."""
        self._sent = 0
        """The number of bytes of the answer's body that were sent."""
        self._span: Span | None = None
        self._ticket: Ticket | None = None
        self._stage = WORKING
        self._aborted = False
        """Whether the client left before its answer."""
        self._last = head.should_close
        """Whether the connection is closed after this request."""
        self._too_slow = False
        """Whether the answer says that the client is too slow, so that the front stops waiting."""
        self._left = 0
        """Bytes of a body that are still to come after its answer."""
        self._behind = False
        """Whether everything that comes is discarded, since no further request is accepted."""
        self._passing = LINGER_BYTES
        """At most this many bytes are discarded."""
        self._answered_at = 0.0
        self._end: asyncio.Future[None] | None = None

    @abstractmethod
    def begin(self) -> None:
        """Begin with the request."""

    @property
    def waits_since(self) -> float | None:
        """Since when only the rest of an answered body is expected; None before."""
        return self._answered_at if self._stage is LINGERING else None

    async def wait_for_end(self, seconds: float | None) -> None:
        """Return when the request is over, at the latest after `seconds`."""
        self._end = self._end or self._client.loop.create_future()
        await asyncio.wait([self._end], timeout=seconds)

    # --- the client's side -----------------------------------------------------------------------

    def let_pass(self, data: bytes) -> bytes:
        """Discard the next bytes of an answered body; returns the bytes after it."""
        rest = b""
        if not self._behind:
            data, rest = data[: self._left], data[self._left :]
            self._left -= len(data)
        self._passing -= len(data)
        if self._stage is LINGERING:
            if self._passing < 0:
                self._leave(reusable=False)
            elif not self._left and not self._behind:
                self._close_or_leave(more=bool(rest))
        return b"" if self._behind else rest

    def client_lost(self) -> None:
        """Handle the client's disconnection."""
        if self._stage is WORKING:
            self.way.client_lost()
        elif self._stage is STREAMING:
            self._break(CLIENT_LOST)
            self._leave(reusable=False)
        elif self._stage is LINGERING:
            self._leave(reusable=False)

    @abstractmethod
    def client_full(self) -> None:
        """Handle a client that does not keep up with its answer."""

    @abstractmethod
    def client_drained(self) -> None:
        """Handle a client that reads its answer again."""

    def look(self, now: float) -> None:
        """Stop waiting for the rest of an answered body if it takes too long."""
        if now - self._answered_at > (TOO_SLOW_SECONDS if self._too_slow else LINGER_SECONDS):
            self._leave(reusable=False)

    # --- its quota -------------------------------------------------------------------------------

    def _ask(self, quotas: Quotas, subject: str, demand: Demand) -> None:
        """Begin once the subject's quota allows it; the body is not read earlier."""
        self._stage = ASKING
        if demand.length:
            self._client.pause()
        quotas.ask(subject, demand, self._told)

    def _told(self, result: Ticket | Exception) -> None:
        self._stage = WORKING
        if isinstance(result, Exception):
            # A client may send its body before it is asked for it, or may send the next request.
            self._last = self._last or hdrs.EXPECT in self._head.headers
            self.way.fail(result)
            return
        self._ticket = result
        if not self._client.connected:  # the client disconnected in the meantime
            self.client_lost()
        if self._stage is WORKING:
            self._client.resume()
            self._go_on()

    @abstractmethod
    def _go_on(self) -> None:
        """Ask for the body, and send the request to the upstream."""

    # --- the way's side --------------------------------------------------------------------------

    def pause(self) -> None:
        """Stop reading the body for now."""
        self._client.pause()

    def resume(self) -> None:
        """Resume reading it."""
        self._client.resume()

    def refuse(self, error: Exception) -> None:
        """Answer the client with the error that stopped its request."""
        self._send_problem(error, self.way.left)
        self._finish()

    # --- for the subclasses ----------------------------------------------------------------------

    @abstractmethod
    def _ids(self) -> dict[str, str]:
        """The ids that log events name the request by."""

    @abstractmethod
    def _count(self, ended: int | str, seconds: float) -> None:
        """Count the request, and end its span; `ended` is a status, or another way to end."""

    @abstractmethod
    def _release(self) -> None:
        """Give back what the request held."""

    def _send_problem(self, error: Exception, left: int) -> None:
        """Give back everything that the request held."""
        self._left = left
        self._too_slow = isinstance(error, BodyTimeout)
        self._aborted = isinstance(error, UploadAborted)
        self._last = self._last or self._too_slow
        problem = problem_of(error)
        self._status = problem.kind.status
        self._log(problem, error)
        whole, size = answer.of_problem(
            problem, self._ids(), self._own_lines(), time.time(), self._head.method
        )
        self._client.send(whole)
        self._sent += size

    def _own_lines(self) -> list[tuple[bytes, bytes]]:
        """The gateway's own headers of an answer; decides if it is the connection's last one."""
        own = [*self._own]
        if self._ticket is not None:
            own += wire.lines(self._ticket.fields.items())
        if (cors := self._services.cors) is not None:
            own += cors.lines(self._head.headers.get(hdrs.ORIGIN))
        # If more is left than is discarded, the body would never end.
        self._last = self._last or self._services.drain.closing or self._left > LINGER_BYTES
        if self._last:
            own.append((b"Connection", b"close"))
        return own

    def _finish(self) -> None:
        """Discard the rest of the body: the client has its answer, or has left."""
        connected = self._client.connected
        self._tell(ABORTED if self._aborted or (self._left and not connected) else self._status)
        if self._left and connected:
            self._linger()
        elif self._last:
            self._close_or_leave(more=False)
        else:
            self._leave(reusable=True)

    def _break(self, reason: str) -> None:
        """Read no more of an answer that has begun; the connection is about to be closed."""
        self.way.close()
        self._cut(reason)

    def _cut(self, reason: str) -> None:
        """Log that the answer broke off; the connection is about to be closed."""
        self._stage = LINGERING
        log.warning("request.cut", reason=reason, **self._ids())
        self._tell(CUT)

    def _leave(self, *, reusable: bool) -> None:
        if self._stage is OVER:
            return
        if self._stage is LINGERING:
            self._under_way.discard(self)
        self._stage = OVER
        self._release()
        if self._end is not None and not self._end.done():
            self._end.set_result(None)
        self._client.request_ended(reusable=reusable and not self._last)

    # --- within ----------------------------------------------------------------------------------

    def _tell(self, ended: int | str) -> None:
        """Log and count the outcome."""
        seconds = time.monotonic() - self._started
        log_request(
            method=self._head.method,
            path=logged_path(self._head.path),
            status=self._status,
            seconds=seconds,
            client=self._services.client_of(self._client.peername, self._head.headers),
            **self._ids(),
        )
        self._count(ended, seconds)

    def _close_or_leave(self, *, more: bool) -> None:
        """Leave, unless the client sends `more` after the last request of the connection."""
        if self._last and self._client.connected and (more or self._client.has_more):
            self._behind = True
            self._linger()
        else:
            self._leave(reusable=True)

    def _linger(self) -> None:
        if self._stage is not LINGERING:
            self._stage = LINGERING
            self._answered_at = time.monotonic()
            self._under_way.add(self)
            if self._last:
                self._client.end_answers()
        self._client.give_to(self.let_pass, all_of_it=self._behind)
        self._client.resume()

    def _log(self, problem: Problem, error: Exception) -> None:
        """Log and count a problem, as the middleware does for other requests."""
        PROBLEMS.add(problem.kind.slug)
        ids = self._ids()
        if isinstance(error, UploadAborted):
            log.info("request.aborted", reason=str(error), **ids)
        elif not isinstance(error, GatewayError | MultipartError):
            log.error("request.failed", exc_info=error, **ids)
        if problem.kind.status >= _SERVER_FAULT:
            log.warning("request.problem", slug=problem.kind.slug, detail=problem.detail, **ids)
