"""Around every request: its id, its faults as problems, and one event in the log."""

import time

from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE
from aiohttp.typedefs import Handler

from gateway.errors import (
    GatewayError,
    HeadTooLarge,
    MalformedRequest,
    MalformedTarget,
    RouteNotFound,
    UploadAborted,
)
from gateway.metrics.catalogue import PROBLEMS
from gateway.metrics.requests import (
    ABORTED,
    CUT,
    NO_DELIVERY,
    PASSED_ON,
    UNKNOWN_ROUTE,
    tally_of,
)
from gateway.multipart import MultipartError
from gateway.problems import problem_of
from gateway.server.connection.answers import SERVER_FAULT, ids_of, problem_response
from gateway.server.connection.context import (
    ANSWER,
    CONTINUED,
    ENDED,
    MARKS,
    PARTIAL,
    REQUEST_ID,
    SERVER,
    TARGET,
    TICKET,
    UPLOAD_ID,
    request_id_of,
)
from gateway.server.fields.cors import PREFLIGHT, is_preflight
from gateway.server.fields.target import logged_path
from gateway.server.services import SERVICES
from gateway.telemetry import bind_ids, clear_ids, get_logger, log_request

log = get_logger(__name__)


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, and log its outcome; a query is never logged."""
    clear_ids()
    request[REQUEST_ID] = request_id_of(request.headers)
    bind_ids(request_id=request[REQUEST_ID])
    started = time.monotonic()
    peername = request.protocol.peername  # of a client that may be gone at the end
    try:
        response = await handler(request)
    finally:
        if (ticket := request.get(TICKET)) is not None:
            ticket.end(request.content.total_bytes)
    seconds = time.monotonic() - started
    log_request(
        method=request.method,
        path=logged_path(request.raw_path),
        status=response.status,
        seconds=seconds,
        client=request.app[SERVICES].client_of(peername, request.headers),
        **ids_of(request),
    )
    _count(request, response, seconds)
    return response


@web.middleware
async def answer_preflights(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a browser that asks what pages of an origin may send, whatever the path."""
    if request.body_exists or not is_preflight(request.method, request.headers):
        return await handler(request)
    response = web.Response(status=204)
    cors = request.app[SERVICES].cors
    if cors is not None and cors.allows(request.headers["Origin"]):
        response.headers.extend(PREFLIGHT)
    return response


async def allow_origin(request: web.Request, response: web.StreamResponse) -> None:
    """Before an answer's head is sent: say whether the page that asked may read it."""
    if (cors := request.app[SERVICES].cors) is not None:
        response.headers.extend(cors.fields(request.headers.get("Origin")))


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with a problem; if an answer has begun, cut the connection instead."""
    try:
        return await handler(request)
    except (ConnectionError, UploadAborted):
        aborted = UploadAborted("the body ended before it was complete")
        if ANSWER not in request:
            log.info("request.aborted", reason=str(aborted))
            request[ENDED] = ABORTED
        return _answer(request, aborted)
    except (GatewayError, MultipartError) as error:
        return _answer(request, error)
    except web.HTTPException:  # the router's; our own handlers raise none
        return _answer(request, RouteNotFound("there is nothing under this path"))
    except Exception as error:  # the last resort: a fault of ours becomes a 500
        log.exception("request.failed")
        return _answer(request, error)


def _count(request: web.Request, response: web.StreamResponse, seconds: float) -> None:
    """Count the request; if its answer is still to be sent, count the answer's full length."""
    route, delivery = kind_of(request)
    ended = request.get(ENDED, response.status)
    # The head of the answer is ours, and small: bodies are what is counted.
    sent = response.body_length if response.prepared else response.content_length or 0
    tally_of(route, delivery, ended).count(seconds, request.content.total_bytes, sent)


def kind_of(request: web.Request) -> tuple[str, str]:
    """Route and delivery as labels; the number of their values is bounded for any requests."""
    if UPLOAD_ID in request and not request.get(PARTIAL, False):
        try:
            route = request.app[SERVICES].route_of(request.get(TARGET, request.raw_path))
        except GatewayError:
            return UNKNOWN_ROUTE, NO_DELIVERY
        return route.name, route.delivery.value
    resource = request.match_info.route.resource
    canonical = resource.canonical if resource is not None else ""
    # The pass-through route matches everything.
    return canonical if canonical.startswith("/gateway/") else PASSED_ON, NO_DELIVERY


def _leaves_doubt(request: web.Request) -> bool:
    """Whether it is unclear where the next request on the connection begins."""
    # A client that got no `100 Continue` may send the body or the next request. And the compiled
    # parser drops bytes that it has read after a request to upgrade.
    not_told = "Expect" in request.headers and CONTINUED not in request
    return not_told or "Upgrade" in request.headers


async def add_ids(request: web.Request, response: web.StreamResponse) -> None:
    """Before an answer's head is sent: the request's and the upload's id, and its quota."""
    request[ANSWER] = response
    if response.headers.get("Server") == SERVER_SOFTWARE:
        response.headers["Server"] = SERVER
    response.headers["X-Request-Id"] = request[REQUEST_ID]
    if UPLOAD_ID in request:
        response.headers["Upload-Id"] = request[UPLOAD_ID]
    for name, value in request.get(MARKS, {}).items():
        response.headers.setdefault(name, value)
    if (ticket := request.get(TICKET)) is not None:
        response.headers.extend(ticket.fields)
    if request.app[SERVICES].drain.closing or _leaves_doubt(request):
        response.headers["Connection"] = "close"
        response.force_close()


def _answer(request: web.Request, error: Exception) -> web.StreamResponse:
    begun: web.StreamResponse | None = request.get(ANSWER)
    if begun is not None:
        log.warning("request.cut", reason=str(error))
        request[ENDED] = CUT
        if request.transport is not None:
            request.transport.abort()
        return begun
    problem = problem_of(error)
    PROBLEMS.add(problem.kind.slug)
    if problem.kind.status >= SERVER_FAULT:
        log.warning("request.problem", slug=problem.kind.slug, detail=problem.detail)
    if isinstance(error, MalformedTarget):
        log.info("request.target_refused", reason=problem.detail)  # the target is not logged
    response = problem_response(request, problem)
    if isinstance(error, MalformedRequest | HeadTooLarge):
        response.force_close()  # it may be unclear as well where the next request begins
    return response
