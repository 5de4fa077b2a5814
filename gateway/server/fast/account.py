"""What is told of an exchange: its span, its log lines and its metrics."""

import time
from typing import TYPE_CHECKING

from aiohttp.http import RawRequestMessage
from msgspec.structs import replace

from gateway.delivery.admitted import Admitted
from gateway.metrics.catalogue import PROBLEMS
from gateway.metrics.requests import ABORTED, CUT, relay_phases, tally_of
from gateway.problems import Problem
from gateway.server import tracing
from gateway.server.fields import headers
from gateway.server.fields.target import logged_path
from gateway.server.services import Services
from gateway.telemetry import get_logger, log_request

if TYPE_CHECKING:
    from gateway.tracing.otel import Span

log = get_logger(__name__)


class Account:
    """Tells of one upload. Times are those of the monotonic clock, in seconds."""

    __slots__ = ("_head", "_services", "_span", "admitted", "received_at", "sent", "started")

    def __init__(self, services: Services, admitted: Admitted, head: RawRequestMessage) -> None:
        self._services = services
        self._head = head
        self._span: Span | None = None
        self.admitted = admitted
        """It names the span, once there is one."""
        self.started = self.received_at = time.monotonic()
        self.sent = 0
        """Bytes of the answer's body."""

    def trace(self, outgoing: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Begin the span; the headers for the upstream name it instead of the client's."""
        self._span = span = tracing.begin(self._head.headers)
        if span is None:
            return outgoing
        self.admitted = replace(self.admitted, trace=span.carrier)
        return headers.with_trace(outgoing, span.carrier)

    def answered(self, now: float) -> None:
        """The upstream answers an upload that it has had all of."""
        phases = relay_phases()
        phases.body.observe(self.received_at - self.started)
        phases.upstream.observe(now - self.received_at)

    def problem(self, problem: Problem, error: Exception) -> None:
        """The answer is a problem."""
        PROBLEMS.add(problem.kind.slug)
        if problem.kind.status >= 500:
            log.warning(
                "request.problem",
                slug=problem.kind.slug,
                detail=problem.detail,
                exc_info=error if problem.kind.status == 500 else None,
                **self.ids(),
            )

    def finished(self, status: int, peername: object, received: int, *, aborted: bool) -> None:
        """The client has its answer, or has gone before its body was whole (`aborted`)."""
        seconds = time.monotonic() - self.started
        target = self.admitted.target
        log_request(
            method=target.method,
            path=logged_path(target.path),
            status=status,
            seconds=seconds,
            client=self._services.client_of(peername, self._head.headers),
            **self.ids(),
        )
        self._count(ABORTED if aborted else status, received, seconds)

    def cut(self, reason: Exception, received: int) -> None:
        """The answer broke off."""
        log.warning("request.cut", reason=str(reason), **self.ids())
        self._count(CUT, received, time.monotonic() - self.started)

    def _count(self, status: int | str, received: int, seconds: float) -> None:
        route = self.admitted.route
        tally_of(route.name, route.delivery.value, status).count(seconds, received, self.sent)
        if self._span is not None:
            tracing.end_relay(self._span, self.admitted, status)
            self._span = None

    def ids(self) -> dict[str, str]:
        """By what the upload is known."""
        return {"request_id": self.admitted.request_id, "upload_id": self.admitted.upload_id}
