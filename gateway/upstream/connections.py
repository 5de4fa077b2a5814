"""Connections that are kept: one that has ended meanwhile must not be used again.

A request that is sent on a connection which the other end has closed is lost, and nobody knows
whether it was read. The loop hears of the end only in its next turn; the socket tells it at once.
"""

import asyncio
import select
from functools import partial
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler


def is_silent(transport: asyncio.BaseTransport) -> bool:
    """Whether nothing has come on an idle connection: neither its end nor what nobody asked for."""
    incoming = select.poll()
    incoming.register(transport.get_extra_info("socket"), select.POLLIN)
    return not incoming.poll(0)


def connector(limit: int) -> aiohttp.TCPConnector:
    """A pool of at most `limit` connections (0: any number) that uses none again that has ended."""
    pool = aiohttp.TCPConnector(limit=limit)
    # aiohttp offers no other place to ask; the test of this module tells when it is gone.
    handlers = partial(_Handler, loop=asyncio.get_running_loop())
    pool._factory = cast("partial[ResponseHandler]", handlers)  # noqa: SLF001
    return pool


class _Handler(ResponseHandler):
    """aiohttp asks whether it is connected before it uses one again."""

    def is_connected(self) -> bool:
        return super().is_connected() and self.transport is not None and is_silent(self.transport)
