"""The private names of aiohttp that are used."""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpRequestParser, HttpVersion11
from aiohttp.web_protocol import RequestPayloadError
from aiohttp.web_protocol import _ErrInfo as Unreadable
from aiohttp.web_request import BaseRequest

__all__ = [
    "PARSER_BUFFER",
    "Unreadable",
    "answer_in_1_1",
    "body_parser",
    "make_connections_by",
    "request_parser",
    "stop_read_timer",
    "take_over",
    "unread",
]

PARSER_BUFFER: Final = 65_536
"""Unread bytes of a body at which aiohttp stops reading from its client."""


def request_parser(protocol: BaseProtocol) -> HttpRequestParser:
    """A parser as strict as that of aiohttp's handler, with the same limits."""
    return HttpRequestParser(protocol, protocol._loop, PARSER_BUFFER, auto_decompress=False)


def body_parser(handler: BaseProtocol) -> HttpRequestParser:
    """A new parser, like the one that aiohttp's handler begins with."""
    return HttpRequestParser(
        handler,
        handler._loop,
        PARSER_BUFFER,
        payload_exception=RequestPayloadError,
        auto_decompress=False,
    )


def answer_in_1_1(request: BaseRequest) -> None:
    """Make the answer an HTTP/1.1 one, whatever version aiohttp took the request for."""
    request._version = HttpVersion11


def stop_read_timer(protocol: ResponseHandler) -> None:
    """Stop the clock of `sock_read`, if it runs."""
    protocol._drop_timeout()


def unread(body: aiohttp.StreamReader) -> bytes:
    """What has come of a body and was not read yet, even if its connection was lost since."""
    return body._read_nowait(-1)


def make_connections_by(
    pool: aiohttp.TCPConnector, handlers: Callable[[], ResponseHandler]
) -> None:
    """Have the pool make its connections with our own class."""
    pool._factory = handlers  # type: ignore[assignment]


def take_over(response: aiohttp.ClientResponse) -> tuple[asyncio.Transport, bytes] | None:
    """The connection of a response that has switched protocols, and what has come behind its head.

    aiohttp forgets the connection without closing it. None if it is closed, or has not switched.
    """
    connection = response.connection
    protocol = connection.protocol if connection is not None else None
    if protocol is None or protocol.transport is None or not protocol.upgraded:
        return None
    transport, tail = protocol.transport, protocol._tail
    protocol._tail = b""
    protocol.connection_lost(None)
    return transport, tail
