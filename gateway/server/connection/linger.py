"""Drains the rest of a body after its request was answered.

A client that writes all of its body before it reads would never see the answer if the connection
were closed: the unread bytes would turn the close into a reset (RFC 9112 section 9.6). So the rest
is drained, up to a limit; if more than that may come, the answer says that it is the last one.
"""

import asyncio
from contextlib import suppress
from typing import Final

import aiohttp
from aiohttp import web
from aiohttp.http import HttpProcessingError

from gateway.errors import GatewayError

LINGER_BYTES: Final = 64 * 1024**2
"""Bytes of a refused body that are read so that its client sees the answer."""

LINGER_SECONDS: Final = 10.0
"""How long the rest of a body is drained after an early answer."""

TOO_SLOW_STATUS: Final = 408
"""The status of an answer to a client that was too slow (RFC 9110 section 15.5.9)."""

TOO_SLOW_SECONDS: Final = 1.0
"""How long such a client may continue to send: long enough to read that it was too slow."""


async def close_behind_bodies(request: web.Request, response: web.StreamResponse) -> None:
    """Before an answer's head is sent: mark it as the last, if the body is not waited for.

    aiohttp's signal of a response that is prepared.
    """
    body = request.content
    if body.is_eof():
        return
    length = request.content_length
    too_large = length is None or length - body.total_bytes > LINGER_BYTES
    if too_large or response.status == TOO_SLOW_STATUS:
        response.headers["Connection"] = "close"
        response.force_close()


def end_answers(transport: asyncio.Transport | None) -> None:
    """Send nothing more and continue to read, if the client is still connected."""
    with suppress(OSError):  # ENOTCONN: the client has reset the connection, unnoticed until now
        if transport is not None and transport.can_write_eof():
            transport.write_eof()


async def drained(body: aiohttp.StreamReader, seconds: float) -> bool:
    """Drain the rest of a body; returns whether it was complete within `seconds`."""
    await asyncio.sleep(0)  # the previous reader was cancelled, and must finish first
    left = LINGER_BYTES
    unread = (HttpProcessingError, web.RequestPayloadError)
    faults = (aiohttp.ClientError, *unread, ConnectionError, GatewayError)
    # aiohttp raises RuntimeError if the transport is gone and the reader does not know it yet.
    with suppress(TimeoutError, RuntimeError, *faults):
        async with asyncio.timeout(seconds):
            while left > 0 and (data := await body.readany()):
                left -= len(data)
    return body.is_eof() and body.exception() is None
