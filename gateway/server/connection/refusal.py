"""The answer to a connection above the limit, sent without waiting for its request."""

from typing import Final

from gateway.errors import TooManyConnections
from gateway.problems import problem_of
from gateway.server.connection.answers import document_of
from gateway.server.connection.context import SERVER, new_request_id

_RETRY_AFTER: Final = 2.0


def refusal() -> bytes:
    """A problem and the end of the connection, as bytes (RFC 9112)."""
    fault = TooManyConnections("too many connections are open here", _RETRY_AFTER)
    request_id = new_request_id()
    status, fields, body = document_of(problem_of(fault), {"request_id": request_id})
    fields |= {
        "Content-Length": str(len(body)),
        "X-Request-Id": request_id,
        "Server": SERVER,
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {status} Service Unavailable", *map(": ".join, fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
