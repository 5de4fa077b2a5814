"""A client's connection that intercepts requests to ChatKitty before aiohttp sees them.

The head of each request decides. An upload gets an `UploadFront`, any other request to ChatKitty a
`PassingFront`. aiohttp handles everything else: the gateway's own paths, refusals, and requests
that are not simple (see `_front_of`).
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from aiohttp import hdrs, web
from aiohttp.http import HttpProcessingError, HttpVersion11, RawRequestMessage
from multidict import istr

from gateway.auth.principal import Principal
from gateway.choices import Delivery
from gateway.errors import GatewayError
from gateway.internals.aiohttp import request_parser
from gateway.multipart import MultipartError
from gateway.server.admission.admit import check_scopes, is_upload, recall, settle
from gateway.server.admission.deletions import takes_file
from gateway.server.admission.passing import settle_passing
from gateway.server.connection import linger
from gateway.server.connection.context import request_id_of
from gateway.server.connection.strict import framing_fault
from gateway.server.connection.turns import HEAD_READ, TurnHandler
from gateway.server.fast.passing import PassingFront
from gateway.server.fast.uploading import UploadFront
from gateway.server.fields.cors import is_preflight
from gateway.server.fields.head import Head
from gateway.server.fields.hosts import is_files_host
from gateway.server.fields.target import with_read_target
from gateway.server.services import Services
from gateway.uploads.ids import new_id

_KEY: Final = istr("Idempotency-Key")
_SMALLEST_READ: Final = 64 * 1024
_FIRST_READ: Final = 256 * 1024
_LARGEST_READ: Final = 1024 * 1024
"""The most bytes that one read may return. Large reads cost less but fill the write buffer.

If a client fills its reads, they grow; if the upstream does not keep up, they shrink.
"""


class Connection(TurnHandler):
    """One client's connection."""

    __slots__ = ("_drained", "_front", "_held_back", "_reads", "_services", "_take")

    def __init__(self, server: web.Server, services: Services, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        connections, limit = services.connections, services.connection_limit
        super().__init__(server, services.settings, connections, limit, **options)
        self._services = services
        self._front: UploadFront | PassingFront | None = None
        """The front that answers the request in progress, if there is one."""
        self._take: Callable[[bytes], bytes] | None = None
        """Receives the bytes of its body, and returns what is beyond its end."""
        self._reads = 0
        """The most bytes that one read of the body may return; 0 if reads keep their size."""
        self._held_back = False
        """Whether the next request waits until the client has read the answers to earlier ones."""
        self._drained: asyncio.Future[None] | None = None

    # --- what the transport reports --------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Hand the bytes to the party that handles their request."""
        if (take := self._take) is None:
            if data and not (self._lent or self._returning):
                self._collect(data)
            else:
                super().data_received(data)
        elif rest := take(data):
            self._keep(rest)
            self.set_read_size(HEAD_READ)  # else a pipeline of requests is copied over and over
            if self._front is None:  # the request had been answered, and that was its last byte
                self._go_on()
        elif len(data) == self._reads < _LARGEST_READ:
            self._set_reads(2 * self._reads)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Handle the client's disconnection."""
        super().connection_lost(exc)
        if self._front is not None:
            self._front.client_lost()
        self._wake()

    def pause_writing(self) -> None:
        """Stop sending: the client does not read its answer."""
        super().pause_writing()
        if self._front is not None:
            self._front.client_full()

    def resume_writing(self) -> None:
        """Resume sending: the client reads its answer again."""
        super().resume_writing()
        self._wake()
        if self._front is not None:
            self._front.client_drained()
        elif self._held_back:
            self._held_back = False
            self._go_on()

    # --- what aiohttp's handler is asked ---------------------------------------------------------

    def close(self) -> None:
        """Accept no further request; finish the one that is being answered."""
        if self._front is None:
            super().close()
        else:
            self._closing = True

    @property
    def idle(self) -> bool:
        """Whether no request is being read or answered."""
        return self._front is None and super().idle

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's
        """Finish the request that is being answered, for at most `timeout` seconds."""
        if self._front is not None:
            await self._front.wait_for_end(timeout)
        await super().shutdown(timeout)

    @property
    def awaits_head(self) -> bool:
        """Whether the connection waits only for a head; a client that sends a body is not idle."""
        return self._front is None and super().awaits_head

    @property
    def has_request(self) -> bool:
        """Whether a request is being answered, or was a moment ago."""
        return self._front is not None or super().has_request

    @property
    def waits_since(self) -> float | None:
        """Since when the gateway waits for the client's next request; None during a request."""
        return super().waits_since if self._front is None else self._front.waits_since

    # --- what a front does ----------------------------------------------------------------------

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the connection."""
        return self._loop

    def send(self, data: bytes) -> None:
        """Send to the client, if it is still there."""
        if self.transport is not None:
            self.transport.write(data)

    async def drained(self) -> None:
        """Wait until the client has taken most of what was sent, or has gone."""
        if self.writing_paused and self.transport is not None:
            self._drained = self._loop.create_future()
            await self._drained

    def resume(self) -> None:
        """Resume reading from the client."""
        if self.transport is not None and not self._later:
            self.transport.resume_reading()

    def narrow(self) -> None:
        """Make reads smaller from now on."""
        self._set_reads(max(_SMALLEST_READ, self._reads // 2))

    def give_to(self, taker: Callable[[bytes], bytes], *, all_of_it: bool = False) -> None:
        """Give the body's bytes to `taker` from now on; it returns the bytes after the body.

        `all_of_it`: no further request is accepted, and its bytes are dropped.
        """
        self._take = taker
        if all_of_it:
            self._later = b""

    def end_answers(self) -> None:
        """Send nothing more, but continue reading."""
        linger.end_answers(self.transport)

    def cut(self) -> None:
        """Close the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def request_ended(self, *, reusable: bool) -> None:
        """The request is over; `reusable`: the next one may follow on the connection."""
        self._front = self._take = None
        if not reusable or self._closing:
            self.force_close()
            return
        self._resting_since = time.monotonic()
        if self.writing_paused:  # else the answers to endless requests would pile up
            self._returning = self._held_back = True
        else:
            self._go_on()

    # --- our own side ----------------------------------------------------------------------------

    def _begin(self, data: bytes, size: int) -> None:
        started = time.monotonic()
        message = self._parsed(data[:size])
        front = self._front_of(message, started) if message is not None else None
        if front is None:  # not for this engine, or not a valid request
            self._begin_lending(data, size)
            return
        self._head_began = None
        self.keep_alive(val=True)  # aiohttp's timer must not close the connection as idle
        self._front = front
        front.begin()
        if len(data) == size:
            return
        if self._front is front:
            self.data_received(data[size:])
        else:  # answered already: a direct call would go deeper with each request
            self._keep(data[size:])
            self._returning = True
            if not self._held_back:
                self._loop.call_soon(self._go_on)

    def _parsed(self, head: bytes) -> RawRequestMessage | None:
        try:
            messages, _, _ = request_parser(self).feed_data(head)
        except HttpProcessingError:
            return None
        if not messages:
            return None
        return with_read_target(messages[0][0])

    def _front_of(
        self, message: RawRequestMessage, started: float
    ) -> UploadFront | PassingFront | None:
        """The front of the request, if this engine handles it and it is admitted."""
        received = message.headers
        if (
            message.version != HttpVersion11
            or message.chunked
            or hdrs.UPGRADE in received
            or framing_fault(message) is not None
        ):
            return None
        told = received.get(hdrs.CONTENT_LENGTH)
        length = int(told) if told is not None else None  # the parser has checked it
        head = Head(message.method, message.path, received, length, bool(length))
        try:
            if is_upload(head):
                return self._upload_of(head, message, started)
            return self._passing_of(head, message, started)
        except (GatewayError, MultipartError):
            return None

    def _upload_of(
        self, head: Head, message: RawRequestMessage, started: float
    ) -> UploadFront | None:
        """The front of an upload. Raises GatewayError, MultipartError if it is refused."""
        services = self._services
        if _KEY in head.headers or services.slots.taken >= services.slots.total:
            return None
        if services.quotas is not None and not services.quotas.ready:
            return None
        if (principal := recall(head.headers, services.authenticator)) is None:
            return None
        request_id = request_id_of(head.headers)
        admitted = settle(head, principal, services, new_id(), request_id)
        # ChatKitty must first be asked which file the upload replaces.
        replaces = takes_file(services.settings, head.method, head.target)
        if admitted.route.delivery is not Delivery.RELAY or replaces is not None:
            return None
        self._set_reads(_FIRST_READ)
        front = UploadFront(self, services, admitted, message, started)
        self._take = front.way.client_sends
        return front

    def _passing_of(
        self, head: Head, message: RawRequestMessage, started: float
    ) -> PassingFront | None:
        """The front of a request that is no upload. Raises GatewayError if it is refused."""
        services = self._services
        if is_files_host(services.settings, head.headers.get(hdrs.HOST, "")):
            return None
        if services.cors is not None and is_preflight(head.method, head.headers):
            return None
        passing = settle_passing(head, services)
        if takes_file(services.settings, head.method, head.target) is not None:
            return None
        caller: Principal | None = None
        if passing.asks_for_caller:
            caller = recall(head.headers, services.authenticator)
            if caller is None or (services.quotas is not None and not services.quotas.ready):
                return None
            check_scopes(caller, passing.scopes)
        length = passing.length or 0
        if length and services.passing.taken >= services.passing.total:
            return None
        if length > HEAD_READ:
            self._set_reads(_FIRST_READ)
        else:
            self._reads = 0
        front = PassingFront(self, services, passing, caller, message, started)
        self._take = front.way.client_sends
        return front

    def _set_reads(self, size: int) -> None:
        self._reads = size
        self.set_read_size(size)

    def _wake(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
