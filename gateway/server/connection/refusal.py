"""The answer to a connection above the limit, sent without waiting for its request."""

import asyncio
import os
import socket
from contextlib import suppress
from typing import Final

from gateway.errors import TooManyConnections
from gateway.problems import problem_of
from gateway.server.connection.answers import document_of
from gateway.server.connection.context import SERVER, new_request_id
from gateway.server.fields.cors import cors_of
from gateway.settings import Settings

_RETRY_AFTER: Final = 2.0
_READ: Final = 32 * 1024
"""Bytes of a request among which its origin is searched."""


def refusal(settings: Settings, transport: asyncio.BaseTransport) -> bytes:
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
    if (cors := cors_of(settings.cors_origins)) is not None:
        fields |= dict(cors.fields_of_unread(_arrived(transport)))
    lines = [f"HTTP/1.1 {status} Service Unavailable", *map(": ".join, fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _arrived(transport: asyncio.BaseTransport) -> bytes:
    """What has arrived on the connection so far.

    It is read, since bytes that are left unread turn the close into a reset.
    """
    with (
        suppress(OSError),
        socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as same,
    ):
        return same.recv(_READ, socket.MSG_DONTWAIT)
    return b""
