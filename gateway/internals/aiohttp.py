"""What is used of aiohttp beside its public names."""

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
]

PARSER_BUFFER: Final = 65_536
"""Bytes of a body that wait to be read before its client is not read from any more."""


def request_parser(protocol: BaseProtocol) -> HttpRequestParser:
    """A parser as strict as that of aiohttp's handler, which has the default limits as well."""
    return HttpRequestParser(protocol, protocol._loop, PARSER_BUFFER, auto_decompress=False)


def body_parser(handler: BaseProtocol) -> HttpRequestParser:
    """A new parser of the kind that aiohttp's handler begins with."""
    return HttpRequestParser(
        handler,
        handler._loop,
        PARSER_BUFFER,
        payload_exception=RequestPayloadError,
        auto_decompress=False,
    )


def answer_in_1_1(request: BaseRequest) -> None:
    """Have the answer in HTTP/1.1, whatever version aiohttp has for what it could not read."""
    request._version = HttpVersion11


def make_connections_by(
    pool: aiohttp.TCPConnector, handlers: Callable[[], ResponseHandler]
) -> None:
    """Have the pool make its connections by a class of ours."""
    pool._factory = handlers  # type: ignore[assignment]
