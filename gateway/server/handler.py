"""aiohttp's handler of a client's connection, with our own word for what it cannot read."""

from aiohttp import web

from gateway.errors import MalformedRequest
from gateway.problems import problem_of
from gateway.server.answers import document_of
from gateway.server.context import SERVER, new_request_id
from gateway.telemetry import get_logger

log = get_logger(__name__)

_SERVER_FAULT = 500


class Handler(web.RequestHandler):
    """One client's connection; requests that are none are answered as a problem."""

    __slots__ = ()

    @property
    def idle(self) -> bool:
        """Whether no request is being read or answered."""
        return self._waiter is not None and not self._messages

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = _SERVER_FAULT,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are no request (RFC 9112), after which the connection closes.

        aiohttp would send back and log the line that it could not read, which may hold a token.
        """
        if status >= _SERVER_FAULT or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        request_id = new_request_id()
        log.info("request.unreadable", reason=type(exc).__name__, request_id=request_id)
        problem = problem_of(MalformedRequest("the bytes sent are no HTTP/1.1 request"))
        status, headers, body = document_of(problem, {"request_id": request_id})
        headers |= {"X-Request-Id": request_id, "Server": SERVER}
        answer = web.Response(status=status, headers=headers, body=body)
        answer.force_close()
        return answer
