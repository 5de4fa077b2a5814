"""Spans by OpenTelemetry: the one module that needs the extra `tracing`."""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.tracing.side import Carrier, Side

_FAILED: Final = 500
_UNNAMED: Final = "unknown_service"
_propagator = TraceContextTextMapPropagator()


class Span:
    """An operation in a trace; `carrier` passes it on to the next process."""

    __slots__ = ("_span", "carrier")

    def __init__(self, span: OtelSpan) -> None:
        self._span = span
        self.carrier: dict[str, str] = {}
        _propagator.inject(self.carrier, set_span_in_context(span))

    def tell(self, **attributes: str | int) -> None:
        """Set attributes; `a__b` becomes `a.b`."""
        for name, value in attributes.items():
            self._span.set_attribute(name.replace("__", "."), value)

    def name(self, name: str) -> None:
        """Rename the span."""
        self._span.update_name(name)

    def end(self, status: int | None = None, error: BaseException | None = None) -> None:
        """End it, with the status of the answer or the error, if there is one."""
        if status is not None:
            self.tell(http__response__status_code=status)
        if error is not None:
            self.tell(error__type=type(error).__name__)
        if error is not None or (status or 0) >= _FAILED:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class Tracer:
    """Makes spans, and sends ended ones to OTEL_EXPORTER_OTLP_ENDPOINT."""

    def __init__(self, service: str) -> None:
        """`service` is the name, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES sets one."""
        resource = Resource.create()
        if str(resource.attributes[SERVICE_NAME]).startswith(_UNNAMED):
            resource = resource.merge(Resource({SERVICE_NAME: service}))
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("chatkitty-gateway")

    def begin(self, name: str, side: Side, parent: Carrier, started: int | None = None) -> Span:
        """A span that began now, or at a time in nanoseconds since the epoch."""
        context = _propagator.extract(dict(parent), Context())
        kind = SpanKind[side.value]
        return Span(self._tracer.start_span(name, context, kind=kind, start_time=started))

    def close(self) -> None:
        """Send the remaining spans."""
        self._provider.shutdown()
