"""A request's body as it comes in, its faults as our own errors."""

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from aiohttp.http import HttpProcessingError

from gateway.delivery.admitted import OUTLIVED
from gateway.errors import (
    AuthorizationEnded,
    BodyTimeout,
    FileTooLarge,
    MalformedRequest,
    UploadAborted,
)
from gateway.server.context import CONTINUED


async def read_body(
    request: web.BaseRequest, *, limit: int, patience: float, until: float | None = None
) -> AsyncIterator[bytes]:
    """The chunks of the body, as large as the socket gave them, without a copy.

    Raises FileTooLarge beyond `limit` bytes, BodyTimeout after `patience` seconds of silence,
    AuthorizationEnded after `until` (epoch seconds), MalformedRequest where the framing broke,
    UploadAborted where the client went away.
    """
    received = 0
    while True:
        try:
            async with asyncio.timeout(patience):
                chunk = await request.content.readany()
        except TimeoutError:
            raise BodyTimeout("the rest of the body did not come") from None
        except (HttpProcessingError, web.RequestPayloadError) as error:
            raise MalformedRequest("the chunks of the body are broken") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise UploadAborted("the body ended before it was complete") from error
        if not chunk:
            return
        if until is not None and time.time() > until:
            raise AuthorizationEnded(OUTLIVED)
        received += len(chunk)
        if received > limit:
            raise FileTooLarge(f"the body is larger than the {limit} bytes that are taken here")
        yield chunk


async def send_continue(request: web.Request) -> None:
    """Ask for the body of a request that waits to be asked (RFC 9110 section 10.1.1)."""
    if "Expect" in request.headers:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What was written is no part of the answer, whose head is still to come.
        request.writer.output_size = 0
        request[CONTINUED] = True
