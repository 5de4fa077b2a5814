"""Sockets, signals, processes: from settings to a gateway that listens."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, Final

import aiohttp
from aiohttp import http_parser, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage

from gateway.choices import Engine
from gateway.errors import ConfigurationError
from gateway.heads import ExactWriter
from gateway.server.app import create_admin_app, create_app
from gateway.server.connection.drain import drain
from gateway.server.connection.turns import TurnHandler
from gateway.server.fast import Connection
from gateway.server.services import SERVICES
from gateway.settings import Settings
from gateway.telemetry import get_logger

log = get_logger(__name__)

_BACKLOG = 1024
"""Connections that wait in the kernel to be accepted."""

_ACCEPTS = 32
"""Connections accepted at once; without a free descriptor asyncio fails as often, in vain."""

_EXHAUSTED = "socket.accept() out of system resource"
_SECONDS_BETWEEN_WARNINGS = 10.0
_CUT_SECONDS = 2.0
"""How long a request that is cut may take to clean up, in seconds."""

HANDLER: Final[dict[str, Any]] = {"access_log": None, "auto_decompress": False}
"""The options of aiohttp's handlers, with either engine."""

Protocols = Callable[[], asyncio.Protocol]
RequestFactory = Callable[..., web.BaseRequest]

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then drain, which a second signal shortens.

    Raises ConfigurationError if it cannot listen, or if its parser would not be strict enough.
    """
    check_parser()
    asyncio.run(_serve(settings))


def check_parser() -> None:
    """Raises ConfigurationError if aiohttp reads requests with its pure-Python parser."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise ConfigurationError(
            "aiohttp has no compiled HTTP parser here, and its Python one is not strict enough:"
            " unset AIOHTTP_NO_EXTENSIONS, and install aiohttp from a wheel or with a C compiler"
        )


async def _serve(settings: Settings) -> None:
    asyncio.get_running_loop().set_exception_handler(AcceptFaults())
    stopped, hastened = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (hastened if stopped.is_set() else stopped).set()

    for number in _STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop)
    app = create_app(settings)
    public = web.AppRunner(app, shutdown_timeout=_CUT_SECONDS, **HANDLER)
    admin = web.AppRunner(create_admin_app(app, settings), **HANDLER)
    listening: list[asyncio.Server] = []
    try:
        await public.setup()
        await admin.setup()
        protocols = protocols_of(public, app, settings)
        listening.append(await _listen(protocols, settings.host, settings.port))
        listening.append(await _listen(_server(admin), settings.host, settings.admin_port))
        log.info("gateway.serving", host=settings.host, port=settings.port)
        await stopped.wait()
        await drain(
            app[SERVICES].drain,
            _server(public),
            listening[:1],  # operators can watch it drain
            hastened,
            delay=settings.drain_delay,
            limit=settings.drain_timeout,
        )
    finally:
        for server in listening:
            server.close()
        await public.cleanup()
        await admin.cleanup()


def protocols_of(runner: web.AppRunner, app: web.Application, settings: Settings) -> Protocols:
    """What makes a protocol for each client's connection."""
    server = _server(runner)
    server.request_factory = _writing_exactly(server.request_factory)
    loop = asyncio.get_running_loop()
    services = app[SERVICES]
    if settings.engine is Engine.PLAIN:
        connections, limit = services.connections, services.connection_limit
        return lambda: TurnHandler(server, settings, connections, limit, loop=loop, **HANDLER)
    return lambda: Connection(server, services, loop=loop, **HANDLER)


def _writing_exactly(make_request: RequestFactory) -> RequestFactory:
    """The same requests, answered by a writer that loses no byte of a head."""

    def make(
        message: RawRequestMessage,
        body: aiohttp.StreamReader,
        protocol: web.RequestHandler,
        _: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        writer = ExactWriter(protocol, asyncio.get_running_loop())
        return make_request(message, body, protocol, writer, task)

    return make


def _server(runner: web.AppRunner) -> web.Server:
    if runner.server is None:
        raise RuntimeError("the runner was not set up")
    return runner.server


class AcceptFaults:
    """Handle uncaught faults of the loop; log failed accepts only now and then.

    After one, asyncio leaves the listening socket alone for a second, then tries again.
    """

    def __init__(self) -> None:
        self._warned = -_SECONDS_BETWEEN_WARNINGS

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take a fault, as `loop.set_exception_handler` gives it."""
        if context.get("message") != _EXHAUSTED:
            loop.default_exception_handler(context)
        elif loop.time() - self._warned >= _SECONDS_BETWEEN_WARNINGS:
            self._warned = loop.time()
            log.warning("gateway.cannot_accept", error=str(context.get("exception")))


async def _listen(protocols: Protocols, host: str, port: int) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(protocols, host, port, backlog=_ACCEPTS, reuse_port=True)
    except OSError as error:
        msg = f"cannot listen on {host}:{port}: {error.strerror}"
        raise ConfigurationError(msg) from None
    for listening in server.sockets:
        with socket.socket(fileno=os.dup(listening.fileno())) as same:
            same.listen(_BACKLOG)  # asyncio has one number for both
    return server
