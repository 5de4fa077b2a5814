"""A client's connection: aiohttp's own handler, before which uploads are taken off.

Between two requests the connection is ours: the next head is looked at, and decides. A request that
is not taken here is lent to aiohttp, byte for byte, until it has been answered and its last byte
was handed over; where that cannot be told, the connection stays with aiohttp.
"""

import asyncio
import time
from typing import Any, Final

from aiohttp import web
from aiohttp.http import HttpProcessingError, HttpVersion11, RawRequestMessage

from gateway.delivery.admitted import Admitted
from gateway.errors import GatewayError
from gateway.multipart import MultipartError, is_multipart_form
from gateway.server.admission import recall, settle
from gateway.server.context import request_id_of
from gateway.server.fast.exchange import Exchange
from gateway.server.fast.shadow import Shadow, request_parser
from gateway.server.handler import Handler
from gateway.server.head import Head
from gateway.server.services import Services
from gateway.server.target import with_read_target
from gateway.settings import Delivery
from gateway.uploads.ids import new_id

_BLANK_LINE: Final = b"\r\n\r\n"

_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})


class Connection(Handler):
    """One client's connection."""

    __slots__ = (
        "_answered",
        "_asked",
        "_closing",
        "_drained",
        "_exchange",
        "_later",
        "_lent",
        "_returning",
        "_services",
        "_shadow",
    )

    def __init__(self, server: web.Server, services: Services, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        super().__init__(server, services.settings, services.connections, **options)
        self._services = services
        self._exchange: Exchange | None = None
        self._later = b""
        """What came after the request that is being answered."""
        self._lent = False
        self._asked: int | None = 0
        """Bytes that the lent request is still to have; None where only its end tells."""
        self._shadow: Shadow | None = None
        self._drained: asyncio.Future[None] | None = None
        self._answered = 0
        self._returning = False
        self._closing = False

    # --- what the transport tells ----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Hand the bytes to whoever has the request that they belong to."""
        if (exchange := self._exchange) is not None:
            if rest := exchange.client_sends(data):
                self._keep(rest)
                if self._exchange is None:  # it had been answered, and that was its last byte
                    self._go_on()
        elif self._returning:
            self._keep(data)
        elif self._lent:
            self._lend(data)
        elif data:
            self._look(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has gone."""
        super().connection_lost(exc)
        if self._exchange is not None:
            self._exchange.client_lost()
        self._wake()

    def resume_writing(self) -> None:
        """The client takes more of its answer."""
        super().resume_writing()
        self._wake()

    # --- what aiohttp's handler does with a lent request -----------------------------------------

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """The answer to a lent request has been sent."""
        result = await super().finish_response(request, resp, start_time)
        self._answered += 1
        self._closing = self._closing or not result[0].keep_alive
        self._take_back_if_over()
        return result

    def close(self) -> None:
        """Take no further request; one that is being answered is finished."""
        self._closing = True
        if self._exchange is None:
            super().close()

    @property
    def idle(self) -> bool:
        """Whether no request is being read or answered."""
        return self._exchange is None and not self._later and super().idle

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's
        """Finish the request that is being answered, for at most `timeout` seconds."""
        if self._exchange is not None:
            await self._exchange.wait_for_end(timeout)
        await super().shutdown(timeout)

    @property
    def awaits_head(self) -> bool:
        """Whether there is nothing to do but to wait for a head; an exchange is no idle client."""
        return self._exchange is None and not self._returning and super().awaits_head

    # --- what an exchange does -------------------------------------------------------------------

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that the connection lives on."""
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

    def pause(self) -> None:
        """Take no more from the client for now."""
        if self.transport is not None:
            self.transport.pause_reading()

    def read_size(self) -> int:
        """The most bytes that one read takes."""
        return int(getattr(self.transport, "max_size", 0))

    def set_read_size(self, size: int) -> None:
        """Take at most so many bytes by one read."""
        if self.transport is not None:
            self.transport.max_size = size  # type: ignore[attr-defined] # asyncio's own attribute

    def resume(self) -> None:
        """Take more from the client."""
        if self.transport is not None and not self._later:
            self.transport.resume_reading()

    def end_answers(self) -> None:
        """Send nothing more, and go on reading."""
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()

    def cut(self) -> None:
        """End the connection where it stands."""
        if self.transport is not None:
            self.transport.abort()

    # --- our own side ----------------------------------------------------------------------------

    def exchange_ended(self, *, reusable: bool) -> None:
        """The exchange is over; `reusable`: the next request may follow on the connection."""
        self._exchange = None
        if not reusable or self._closing:
            self.force_close()
            return
        self._resting_since = time.monotonic()
        self._go_on()

    def _look(self, data: bytes) -> None:
        end = data.find(_BLANK_LINE)
        message = self._parsed(data[: end + len(_BLANK_LINE)]) if end >= 0 else None
        if message is None:
            self._begin_lending(None, data)
            return
        head = _head_of(message)
        body = data[end + len(_BLANK_LINE) :]
        admitted = self._admit(message, head)
        if admitted is None:
            length = (head.content_length or 0) + end + len(_BLANK_LINE)
            whole = message.chunked or message.upgrade
            self._begin_lending(None if whole else length, data)
            return
        self.keep_alive(val=True)  # aiohttp's timer must not see an idle connection
        self._exchange = Exchange(self, self._services, admitted, message)
        self._exchange.begin()
        if body:
            self.data_received(body)

    def _parsed(self, head: bytes) -> RawRequestMessage | None:
        """The head, or None where it is not one to be answered here, or at all."""
        parser = request_parser(self, self._loop)
        try:
            messages, _, _ = parser.feed_data(head)
        except HttpProcessingError:
            return None
        return with_read_target(messages[0][0]) if messages else None

    def _admit(self, message: RawRequestMessage, head: Head) -> Admitted | None:
        """The upload, if it is one for this engine and nothing speaks against it."""
        if (
            message.method not in _METHODS
            or message.upgrade
            or message.version != HttpVersion11
            or "Host" not in head.headers
            or "Transfer-Encoding" in head.headers
            or "Idempotency-Key" in head.headers
            or not is_multipart_form(head.headers.get("Content-Type", ""))
        ):
            return None
        services = self._services
        if services.slots.taken >= services.slots.total:
            return None
        try:
            if (principal := recall(head.headers, services.authenticator)) is None:
                return None
            request_id = request_id_of(head.headers)
            admitted = settle(head, principal, services, new_id(), request_id)
        except (GatewayError, MultipartError):
            return None
        return admitted if admitted.route.delivery is Delivery.RELAY else None

    def _begin_lending(self, asked: int | None, data: bytes) -> None:
        self._lent = True
        self._answered = 0
        self._asked = asked
        self._shadow = Shadow(self._loop) if asked is None else None
        self._lend(data)

    def _lend(self, data: bytes) -> None:
        mine, rest = data, b""
        if self._shadow is not None:
            self._shadow.see(data)
        elif self._asked is not None:
            mine, rest = data[: self._asked], data[self._asked :]
            self._asked -= len(mine)
        super().data_received(mine)
        if rest:
            self._keep(rest)
        self._take_back_if_over()

    def _take_back_if_over(self) -> None:
        """Take the connection back once the lent request was answered and came to its end."""
        if self._shadow is not None:
            over = self._shadow.ended and self._answered == self._shadow.requests
        else:
            over = self._asked == 0 and self._answered == 1
        if self._lent and over and not self._closing:
            self._lent = False
            self._returning = True
            # Whoever called is not done with the answer yet.
            self._loop.call_soon(self._go_on)

    def _wake(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _keep(self, data: bytes) -> None:
        """Keep what belongs to the next request until its turn."""
        self._later += data
        self.pause()

    def _go_on(self) -> None:
        if self._exchange is not None or self._lent or self.transport is None:
            return
        self._returning = False
        data, self._later = self._later, b""
        self.transport.resume_reading()
        if data:
            self.data_received(data)


def _head_of(message: RawRequestMessage) -> Head:
    text = message.headers.get("Content-Length")
    length = int(text) if text is not None else None  # the parser has checked it
    return Head(message.method, message.path, message.headers, length, bool(length))
