"""The application: its URLs, its middlewares, and the services that live as long as it does."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway import tracing
from gateway.errors import MethodNotAllowed, RouteNotFound
from gateway.metrics.exposition import registry_of
from gateway.routes import RouteTable
from gateway.server.admission.admit import is_upload
from gateway.server.connection.linger import close_behind_bodies
from gateway.server.fields.head import head_of
from gateway.server.fields.hosts import is_files_host
from gateway.server.handlers.beginning import (
    RAW,
    TUS_DOOR,
    begin_raw,
    begin_tus,
    check_doors,
    tell_limits,
)
from gateway.server.handlers.description import get_description
from gateway.server.handlers.events import stream_upload, stream_uploads
from gateway.server.handlers.files import get_file
from gateway.server.handlers.forms import take_form
from gateway.server.handlers.health import READINESS, Readiness, healthz, readiness, readyz
from gateway.server.handlers.passthrough import pass_through
from gateway.server.handlers.resources import list_uploads
from gateway.server.handlers.sessions import answer_upload
from gateway.server.metrics import REGISTRY, SHARED, answer_metrics, shared_metrics
from gateway.server.middleware import (
    add_ids,
    allow_origin,
    answer_errors,
    answer_preflights,
    identify,
)
from gateway.server.pages import install, name_process, trial_paths
from gateway.server.services import SERVICES, open_services
from gateway.server.tracing import trace
from gateway.settings import Settings

_OWN = {
    "/gateway/healthz": healthz,
    "/gateway/readyz": readyz,
    "/gateway/openapi.json": get_description,
    "/gateway/uploads": list_uploads,
    r"/gateway/files/{token:[^/]+}/{name:[^/]+}": get_file,
}
_STREAMS = {
    "/gateway/uploads/{id}/events": stream_upload,
    "/gateway/events": stream_uploads,
}
_OWN_METHODS = ("GET", "HEAD", "POST", "PUT", "OPTIONS")
_REST = r"/{path:[\s\S]*}"
_DOORS = {
    f"{RAW}{_REST}": {"POST": begin_raw, "PUT": begin_raw, "OPTIONS": tell_limits},
    f"{TUS_DOOR}{_REST}": {"POST": begin_tus, "OPTIONS": tell_limits},
}
_AT_FILES_HOST = ("/gateway/files/", "/gateway/healthz", "/gateway/readyz")


def create_app(settings: Settings) -> web.Application:
    """The application for clients. Raises ConfigurationError for an invalid route table."""
    routes = RouteTable(settings)
    app = web.Application(
        middlewares=[
            *_tracing(settings),
            identify,
            *([answer_preflights] if settings.cors_origins else []),
            answer_errors,
            keep_files_apart,
        ]
    )

    async def services(app: web.Application) -> AsyncIterator[None]:
        async with open_services(settings, routes) as opened:
            app[SERVICES] = opened
            yield

    async def metrics(app: web.Application) -> AsyncIterator[None]:
        async with shared_metrics(settings.metrics_dir) as shared:
            app[SHARED], app[REGISTRY] = shared, registry_of(shared.read)
            yield

    async def traces(_: web.Application) -> AsyncIterator[None]:
        if settings.tracing:
            tracing.start("chatkitty-gateway")
        yield
        await asyncio.to_thread(tracing.stop)

    app.cleanup_ctx.extend([metrics, traces, services])
    app.on_response_prepare.extend([add_ids, close_behind_bodies])
    if settings.cors_origins:
        app.on_response_prepare.append(allow_origin)
    app[READINESS] = Readiness()
    if settings.try_page:
        app.on_response_prepare.append(name_process)
    _add_routes(app, {**_OWN, **(trial_paths() if settings.try_page else {})})
    return app


def _add_routes(app: web.Application, own: Mapping[str, Handler]) -> None:
    for path, answer in own.items():
        app.router.add_get(path, answer, expect_handler=_expect_nothing_yet)
        app.router.add_route("*", path, _refuse_method, expect_handler=_expect_nothing_yet)
    for path, stream in _STREAMS.items():
        app.router.add_route("GET", path, stream, expect_handler=_expect_nothing_yet)
        app.router.add_route("*", path, _refuse_method, expect_handler=_expect_nothing_yet)
    for path, answers in _DOORS.items():
        for method, answer in {**answers, "*": _refuse_method_at_door}.items():
            app.router.add_route(method, path, answer, expect_handler=_expect_nothing_yet)
    resource = "/gateway/uploads/{id}"
    app.router.add_route("*", resource, answer_upload, expect_handler=_expect_nothing_yet)
    app.router.add_route("*", _REST, _upstream, expect_handler=_expect_nothing_yet)


def _tracing(settings: Settings) -> Sequence[Middleware]:
    return [trace] if settings.tracing else []


def create_admin_app(public: web.Application, settings: Settings) -> web.Application:
    """The application for operators, about the one that clients reach."""

    async def ready(_: web.Request) -> web.Response:
        return await readiness(public)

    async def metrics(request: web.Request) -> web.Response:
        return await answer_metrics(request, public[REGISTRY])

    app = web.Application()
    app.router.add_get("/gateway/healthz", healthz)
    app.router.add_get("/gateway/readyz", ready)
    app.router.add_get("/metrics", metrics)
    install(app, public, settings)
    return app


@web.middleware
async def keep_files_apart(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Under the files' own host name there is nothing but files, and the state of the process."""
    settings = request.app[SERVICES].settings
    if is_files_host(settings, request.host) and not request.path.startswith(_AT_FILES_HOST):
        raise RouteNotFound("there is nothing under this path")
    return await handler(request)


async def _upstream(request: web.Request) -> web.StreamResponse:
    if is_upload(head_of(request)):
        return await take_form(request)
    return await pass_through(request)


async def _refuse_method_at_door(request: web.Request) -> web.StreamResponse:
    check_doors(request.app[SERVICES])
    return await _refuse_method(request)


async def _refuse_method(request: web.Request) -> web.StreamResponse:
    resource = request.match_info.route.resource
    routes = resource if resource is not None else ()
    supported = {route.method for route in routes}
    allowed = [method for method in _OWN_METHODS if method in supported]
    raise MethodNotAllowed(f"this path supports only {', '.join(allowed)}", allowed)


async def _expect_nothing_yet(_: web.Request) -> None:
    """`100 Continue` waits for admission: aiohttp's own handler would send it before."""
