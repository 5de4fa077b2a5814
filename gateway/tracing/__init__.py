"""Traces: one for each upload, from the client's request to ChatKitty's answer, in all processes.

Off unless `start` was called. OpenTelemetry is an extra, and is imported only then; otherwise, a
call of this module only checks a variable. A span has the ids of request and upload, and never a
token, a query or a client's path.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from gateway.errors import ConfigurationError
from gateway.tracing.side import HEADERS, Carrier, Side

if TYPE_CHECKING:
    from gateway.tracing.otel import Span, Tracer

__all__ = [
    "HEADERS", "Carrier", "Side", "asking", "begin", "carried", "join", "joining", "start", "stop",
    "within",
]  # fmt: skip

_NONE: Final[Carrier] = {}


class _Expected:
    """A span that has no trace yet."""

    __slots__ = ("name", "span", "started")

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = time.time_ns()
        self.span: Span | None = None


_tracer: "Tracer | None" = None
_current: "ContextVar[Span | None]" = ContextVar("span", default=None)
_expected: ContextVar[_Expected | None] = ContextVar("expected", default=None)


def start(service: str) -> None:
    """Send traces to where OTEL_EXPORTER_OTLP_ENDPOINT says, in the background.

    Raises ConfigurationError if the extra is not installed.
    """
    global _tracer  # noqa: PLW0603 - as OpenTelemetry's own provider
    if _tracer is None:
        try:
            from gateway.tracing import otel  # noqa: PLC0415 - only gateways that trace pay for it
        except ImportError as error:
            msg = f"GATEWAY_TRACING needs the extra `tracing`: {error}"
            raise ConfigurationError(msg) from None
        _tracer = otel.Tracer(service)


def stop() -> None:
    """Stop tracing. Blocks until the remaining spans are sent or the exporter gives up."""
    global _tracer  # noqa: PLW0603
    if _tracer is not None:
        _tracer.close()
        _tracer = None


def begin(name: str, side: Side, parent: Carrier) -> "Span | None":
    """A span in its parent's trace, or in a new one if it has no parent; None if tracing is off.

    The caller that begins it also ends it.
    """
    return _tracer.begin(name, side, parent) if _tracer is not None else None


def carried() -> Carrier:
    """The Trace Context that passes the current span on; empty if there is none."""
    if _tracer is None:
        return _NONE
    span = _current.get()
    return span.carrier if span is not None else _NONE


@contextmanager
def within(span: "Span") -> Iterator[None]:
    """Make the span the parent of those that begin in the block."""
    token = _current.set(span)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def asking(name: str) -> Iterator[None]:
    """A span within the current one, for a request to another server in the block."""
    parent = carried()
    if not parent or (span := begin(name, Side.CLIENT, parent)) is None:
        yield
        return
    failure: BaseException | None = None
    try:
        with within(span):
            yield
    except BaseException as error:
        failure = error
        raise
    finally:
        span.end(error=failure)


@contextmanager
def joining(name: str) -> Iterator[None]:
    """A span for the block; its trace is found only within the block, by `join`."""
    if _tracer is None:
        yield
        return
    expected = _Expected(name)
    token = _expected.set(expected)
    failure: BaseException | None = None
    try:
        yield
    except BaseException as error:
        failure = error
        raise
    finally:
        _expected.reset(token)
        if expected.span is not None:
            _current.set(None)
            expected.span.end(error=failure)


def join(parent: Carrier, **attributes: str | int) -> None:
    """Begin the span that `joining` prepared, unless the upload has no trace."""
    expected = _expected.get()
    if _tracer is None or expected is None or expected.span is not None or not parent:
        return
    expected.span = _tracer.begin(expected.name, Side.CONSUMER, parent, expected.started)
    expected.span.tell(**attributes)
    _current.set(expected.span)
