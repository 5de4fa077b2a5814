"""A request's span, in the trace that the client's own headers name."""

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDictProxy

from gateway import tracing
from gateway.server.connection.answers import ids_of
from gateway.server.middleware import kind_of
from gateway.tracing import Side

if TYPE_CHECKING:
    from gateway.tracing.otel import Span


def begin(headers: CIMultiDictProxy[str]) -> "Span | None":
    """The span of a request with these headers; None if tracing is off."""
    parent = {name: headers[name] for name in tracing.HEADERS if name in headers}
    return tracing.begin("request", Side.SERVER, parent)


def end(span: "Span", method: str, route: str, delivery: str, status: int, **ids: str) -> None:
    """The end of a request that never was aiohttp's."""
    _describe(span, method, route, delivery)
    _identify(span, **ids)
    span.end(status)


@web.middleware
async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keep the request's trace."""
    if (span := begin(request.headers)) is None:
        return await handler(request)
    try:
        with tracing.within(span):
            response = await handler(request)
    except BaseException as error:
        span.end(error=error)
        raise
    _describe(span, request.method, *kind_of(request))
    _identify(span, **ids_of(request))
    span.end(response.status)
    return response


def _describe(span: "Span", method: str, route: str, delivery: str) -> None:
    span.name(f"{method} {route}")
    span.tell(http__request__method=method, http__route=route, chatkitty__delivery=delivery)


def _identify(span: "Span", **ids: str) -> None:
    span.tell(**{f"chatkitty__{name}": value for name, value in ids.items()})
