"""A request's body as it comes in, its faults as our own errors."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import aiohttp
from aiohttp import HttpVersion11, web
from aiohttp.http import HttpProcessingError

from gateway.delivery.admitted import OUTLIVED
from gateway.delivery.relay.body_clock import SILENT, TOO_SLOW
from gateway.errors import (
    AuthorizationEnded,
    BodyTimeout,
    ChecksumFailed,
    DigestMismatch,
    FileTooLarge,
    MalformedRequest,
    UploadAborted,
)
from gateway.heads import head
from gateway.limits.minimum_rate import Pace
from gateway.resumable.protocol import Checksum
from gateway.server.connection.context import CONTINUED
from gateway.server.services import Services

BROKEN_CHUNKS = "the body is not in the chunked coding that its Transfer-Encoding declares"

_INCOMPLETE = "the body ended before it was complete"


class _Reader:
    """Waits for the next bytes of a body, as long as they arrive fast enough.

    Only the time spent waiting counts against the client, not the time to process the bytes.
    """

    def __init__(self, content: aiohttp.StreamReader, services: Services) -> None:
        self._content = content
        self._silence = services.settings.body_timeout
        self._pace = Pace(services.floor)
        self._waited = 0.0
        self._since = 0.0
        self._timeout: asyncio.Timeout | None = None
        self._fault = ""

    async def read(self) -> bytes:
        """The bytes that have arrived, or the next ones; empty at the end. Raises BodyTimeout."""
        if self._content.is_eof():  # it has arrived completely, and no reader waits
            return await next_of(self._content)
        self._since = time.monotonic()
        try:
            # Sets no timer: the periodic check ends the wait.
            async with asyncio.timeout(None) as self._timeout:
                return await next_of(self._content)
        except TimeoutError:
            raise BodyTimeout(self._fault) from None
        finally:
            self._timeout = None
            self._waited += time.monotonic() - self._since

    def look(self, now: float) -> None:
        """End the waiting if it has been too long, or the client too slow all in all."""
        if self._timeout is None:
            return
        silence = now - self._since
        if silence > self._silence:
            self._end(SILENT)
        elif not self._pace.keeps_up(self._waited + silence, self._content.total_bytes):
            self._end(TOO_SLOW)

    def _end(self, fault: str) -> None:
        if self._timeout is not None:
            self._fault = fault
            self._timeout.reschedule(asyncio.get_running_loop().time())
            self._timeout = None


async def read_body(
    request: web.BaseRequest, services: Services, *, limit: int, until: float | None = None
) -> AsyncGenerator[bytes, None]:
    """The chunks of the body, as large as the socket gave them, without a copy.

    Raises FileTooLarge beyond `limit` bytes, BodyTimeout if the client is silent or too slow,
    AuthorizationEnded after `until` (epoch seconds), MalformedRequest if the framing is broken,
    UploadAborted if the client disconnected.
    """
    received = 0
    reader = _Reader(request.content, services)
    services.bodies.add(reader)
    try:
        while chunk := await reader.read():
            if until is not None and time.time() > until:
                raise AuthorizationEnded(OUTLIVED)
            received += len(chunk)
            if received > limit:
                raise FileTooLarge(f"the body exceeds the limit of {limit} bytes")
            yield chunk
    finally:
        services.bodies.discard(reader)


async def verified(
    body: AsyncGenerator[bytes, None], digests: Sequence[Checksum]
) -> AsyncGenerator[bytes, None]:
    """The chunks of the body, which is then known to have all the digests.

    Raises DigestMismatch at its end if it has not.
    """
    hashed = {digest.algorithm: hashlib.new(digest.algorithm) for digest in digests}
    async with aclosing(body):
        async for chunk in body:
            for each in hashed.values():
                each.update(chunk)
            yield chunk
    for digest in digests:
        check_digest(digest, hashed[digest.algorithm].digest())


def check_digest(expected: Checksum, found: bytes) -> None:
    """Raises DigestMismatch, or for a checksum of tus ChecksumFailed, unless they are equal."""
    if expected.digest == found:
        return
    if expected.field is None:
        raise ChecksumFailed("the content does not match its checksum")
    raise DigestMismatch(
        f"the content that arrived does not match the {expected.algorithm} in {expected.field}"
    )


async def next_of(content: aiohttp.StreamReader) -> bytes:
    """The next bytes of a body, none at its end.

    Raises MalformedRequest if the framing is broken, UploadAborted if the client disconnected.
    """
    try:
        return await content.readany()
    except (HttpProcessingError, web.RequestPayloadError) as error:
        raise MalformedRequest(BROKEN_CHUNKS) from error
    # aiohttp raises RuntimeError if the transport is gone and the reader does not know it yet.
    except (aiohttp.ClientError, ConnectionError, RuntimeError) as error:
        raise UploadAborted(_INCOMPLETE) from error


async def send_continue(request: web.Request) -> None:
    """Ask for the body of a request that waits to be asked (RFC 9110 section 10.1.1).

    A client of HTTP/1.0 does not wait, and would take that for the answer. Raises UploadAborted
    if the client disconnected.
    """
    if "Expect" in request.headers and request.version >= HttpVersion11:
        await send_interim(request, "100 Continue", {})
        request[CONTINUED] = True


async def send_interim(request: web.Request, status: str, fields: Mapping[str, str]) -> None:
    """Send an interim response (RFC 9110 section 15.2); the answer is still to come.

    Raises UploadAborted if the client disconnected.
    """
    try:
        await request.writer.write(head(f"HTTP/1.1 {status}", fields.items()))
    except ConnectionError as error:
        raise UploadAborted(_INCOMPLETE) from error
    # These bytes are not part of the answer; its head is still to come.
    request.writer.output_size = 0
