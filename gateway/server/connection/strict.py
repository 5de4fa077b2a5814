"""aiohttp's handler of a client's connection, stricter than its parser, with our own errors."""

from functools import lru_cache
from typing import Final

import aiohttp
from aiohttp import hdrs, web
from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from gateway.errors import GatewayError, MalformedAuthorization, MalformedRequest
from gateway.heads import has_fit_length
from gateway.internals.aiohttp import Unreadable, answer_in_1_1
from gateway.problems import problem_of
from gateway.server.connection.answers import SERVER_FAULT, document_of
from gateway.server.connection.context import SERVER, new_request_id
from gateway.server.connection.diagnosis import CODING_IN_1_0, NOT_CHUNKED, UNKNOWN
from gateway.server.connection.timeouts import PatientHandler
from gateway.server.fields import headers
from gateway.server.fields.cors import cors_of
from gateway.server.fields.target import with_read_target
from gateway.telemetry import get_logger

log = get_logger(__name__)

_FOR_PROXIES: Final = frozenset({"CONNECT", "TRACE"})


class Handler(PatientHandler):
    """One client's connection; invalid requests are answered with a problem."""

    __slots__ = ("_newest_body", "_unread")

    _newest_body: aiohttp.StreamReader

    _unread: bytes
    """What had come of a head when it was refused."""

    def data_received(self, data: bytes) -> None:
        """Pass on what was sent, but refuse what the parser accepts or ignores by mistake."""
        known = len(self._messages)
        super().data_received(data)
        for at in range(known, len(self._messages)):
            message, body = self._messages[at]
            if isinstance(message, Unreadable):
                self._break_body(message.exc)
            elif (fault := framing_fault(message)) is not None:
                self._messages[at] = (Unreadable(400, fault, str(fault)), EMPTY_PAYLOAD)
            else:
                self._messages[at] = (with_read_target(message), body)
                self._newest_body = body

    @property
    def idle(self) -> bool:
        """Whether no request is being read or answered."""
        return self._waiter is not None and not self._messages

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = SERVER_FAULT,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to an invalid request (RFC 9112), after which the connection closes.

        aiohttp would return and log the line that it could not read, which may contain a token.
        """
        if status >= SERVER_FAULT or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        request_id = new_request_id()
        problem = problem_of(exc if isinstance(exc, GatewayError) else MalformedRequest(UNKNOWN))
        log.info("request.unreadable", reason=problem.detail, request_id=request_id)
        status, headers, body = document_of(problem, {"request_id": request_id})
        headers |= {
            **problem.headers,
            "X-Request-Id": request_id,
            "Server": SERVER,
            "Connection": "close",
        }
        if (cors := cors_of(self._settings.cors_origins)) is not None:
            headers |= dict(cors.fields_of_unread(getattr(self, "_unread", b"")))
        # RFC 9110 section 2.5: the version is the server's own. aiohttp uses 1.0 for what it
        # could not read.
        answer_in_1_1(request)
        answer = web.Response(status=status, headers=headers, body=body)
        answer.force_close()
        return answer

    def _break_body(self, fault: BaseException) -> None:
        """Report a parser error to the body that was being read, if there is one.

        aiohttp would keep the fault for the next request, and the body's reader waiting.
        """
        body = getattr(self, "_newest_body", None)
        if body is None or body.is_eof():
            return
        body.set_exception(fault)
        body.feed_eof()  # no reader must wait for the rest
        self._take_none_after(body)

    def _take_none_after(self, body: aiohttp.StreamReader) -> None:
        """Answer the request of that body, and no further one.

        aiohttp, once closed, would not even answer a request that it has not started yet.
        """
        for at, (message, its) in enumerate(self._messages):
            if its is body and not isinstance(message, Unreadable):
                self._messages[at] = (message._replace(should_close=True), its)
                return
        self.close()


def framing_fault(message: RawRequestMessage) -> GatewayError | None:
    """Why servers would read the request differently, although the parser accepted it.

    Both engines check requests here, whichever parser made them. RFC 9112: sections 2.3 (versions),
    3.2 (targets, Host), 6.1 (Transfer-Encoding), 6.3 (Content-Length). RFC 9110: sections 5.5
    (values that are not ASCII), 9.3.6 and 9.3.8 (methods that speak to a proxy, or that have it
    send tokens back).
    """
    fault: str | None = None
    is_1_1 = message.version == HttpVersion11
    if message.method in _FOR_PROXIES:
        fault = "the method is only for proxies"
    elif not is_1_1 and message.version != HttpVersion10:
        fault = "the version of HTTP is unknown"
    elif not _is_plain_path(message.path):
        fault = "the request target must be a path of printable ASCII characters"
    elif (name := headers.unfit(message.raw_headers)) is not None:
        kind = MalformedAuthorization if name.lower() == "authorization" else MalformedRequest
        return kind(f"the value of {name} must be ASCII")
    elif is_1_1 and hdrs.HOST not in message.headers:
        fault = "the Host header is missing"
    elif not has_fit_length(message.headers):
        fault = "the Content-Length is too large"
    elif hdrs.TRANSFER_ENCODING in message.headers:
        fault = _fault_of_coding(message)
    return MalformedRequest(fault) if fault is not None else None


@lru_cache(256)  # there are few, and every request has one
def _is_plain_path(target: str) -> bool:
    return (
        target.startswith("/") and target.isascii() and target.isprintable() and " " not in target
    )


def _fault_of_coding(message: RawRequestMessage) -> str | None:
    if message.version == HttpVersion10:
        return CODING_IN_1_0
    codings = [each.lower() for each in message.headers.getall(hdrs.TRANSFER_ENCODING)]
    return None if codings == ["chunked"] else NOT_CHUNKED
