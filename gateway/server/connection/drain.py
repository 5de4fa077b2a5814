"""Stops a serving process: accepts nothing new, finishes requests in progress, loses no request.

Readiness fails first, and a balancer takes some time to notice. Then no client can connect any
more; open connections get `Connection: close` with their next answer. An idle one is closed only
after a moment: a request may already have been sent on it.
"""

import asyncio
import ctypes
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from gateway.server.connection.strict import Handler
from gateway.telemetry import get_logger

log = get_logger(__name__)

_IDLE_SECONDS: Final = 2.0
_ACCEPT_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 0.02

_SO_ATTACH_FILTER: Final = 26
# Classic BPF (linux/filter.h): a segment whose flags, in byte 13, have SYN is dropped.
_NO_SYN: Final = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in ((0x30, 0, 0, 13), (0x45, 0, 1, 2), (0x06, 0, 0, 0), (0x06, 0, 0, 2**32 - 1))
)


@dataclass(slots=True)
class Drain:
    """How far the end has come: `draining` is for readiness, `closing` for every answer.

    `at_closing` is called once no client can connect any more. `others` are the open connections
    that the server does not know any more.
    """

    draining: bool = False
    closing: bool = False
    at_closing: list[Callable[[], None]] = field(default_factory=list)
    others: Sized = ()


async def drain(
    state: Drain,
    server: web.Server,
    listening: Iterable[asyncio.Server],
    hastened: asyncio.Event,
    *,
    delay: float,
    limit: float,
) -> None:
    """Return when no connection is left, `limit` seconds after the `delay`, or when hastened."""
    state.draining = True
    log.info("gateway.draining", delay=delay, limit=limit)
    await _until(lambda: False, hastened, delay)
    state.closing = True
    for one in listening:
        _refuse_new(one)
    await asyncio.sleep(_ACCEPT_SECONDS)  # what had connected before is accepted
    for one in listening:
        one.close()
    for call in state.at_closing:
        call()
    await _until(
        lambda: not (server.connections or state.others), hastened, min(_IDLE_SECONDS, limit)
    )
    for connection in server.connections:
        if isinstance(connection, Handler) and connection.idle:
            connection.force_close()
    await _until(lambda: not (server.connections or state.others), hastened, limit)
    log.info("gateway.drained", left=len(server.connections) + len(state.others))


def _refuse_new(server: asyncio.Server) -> None:
    """Accept no new connections: those that wait to be accepted are lost when a socket closes.

    A client sends a dropped first segment again, and is then refused, or served by another process.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(_NO_SYN, len(_NO_SYN))
    option = struct.pack("@HP", len(_NO_SYN) // 8, ctypes.addressof(program))
    try:
        for one in server.sockets:
            one.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, option)
    except PermissionError:
        # Some kernels require CAP_NET_ADMIN for it, which a service lacks. Then only a connection
        # that arrives in the moment of closing is lost, after the drain's delay.
        log.info("gateway.drain_without_filter")


async def _until(check: Callable[[], bool], hastened: asyncio.Event, seconds: float) -> None:
    """Return when `check` is true, when hastened, or after `seconds`."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while not check() and not hastened.is_set() and clock() < deadline:  # noqa: ASYNC110 - both are looked at
        await asyncio.sleep(_LOOK_SECONDS)
