"""Sends small requests over aiobotocore's connections, without the rest of aiohttp's client.

The rest would cost nearly a third of a call. Requests with large bodies, which need flow control,
and requests through a proxy are sent by aiobotocore's session.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urljoin

import aiohttp
from aiohttp import hdrs
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from yarl import URL

from gateway.heads import FINAL, head
from gateway.internals.aiobotocore import connections_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from aiohttp.connector import Connection

    from gateway.internals.aiobotocore import Connections, HttpResponse, HttpSession

_BUFFER: Final = 64 * 1024
"""Bytes of an answer that may be unread before no more are received."""

_ORIGINS: Final = 8
_REDIRECTS: Final = frozenset({301, 302, 307, 308})

_OWN_HEADERS: Final = (("Accept", "*/*"), ("Accept-Encoding", "identity"))


@dataclass(slots=True)
class Raw:
    """An answer's body on its connection, which is free again when the body has been read."""

    url: str
    content: aiohttp.StreamReader
    connection: Connection

    def close(self) -> None:
        """Close the connection, unless the body has been read."""
        self.connection.close()


@dataclass(slots=True)
class Response:
    """`HttpResponse` (see there)."""

    status_code: int
    headers: Mapping[str, str]
    raw: Raw
    _content: bytes | None = None

    @property
    def content(self) -> Awaitable[bytes]:
        """The whole body."""
        return self._read()

    async def _read(self) -> bytes:
        if self._content is None:
            try:
                self._content = await self.raw.content.read()
            except BaseException:  # a cancellation as well: bytes of the body are still to come
                self.raw.close()
                raise
        return self._content


class Session:
    """`HttpSession` (see there) for requests to one server."""

    def __init__(self, theirs: HttpSession) -> None:
        """Use the connections of aiobotocore's session."""
        self._theirs = theirs
        self._connections: Connections | None = None
        self._origin: str | None = None

    async def send(self, request: AWSPreparedRequest) -> HttpResponse:
        """As aiobotocore's session does it: a connection that had just ended is tried again."""
        if not (request.body is None or isinstance(request.body, bytes)):
            return await self._theirs.send(request)
        origin, target = split(request.url)
        if origin != self._origin:
            self._connections = await connections_of(self._theirs, URL(origin))
            self._origin = origin
        if self._connections is None:
            return await self._theirs.send(request)
        try:
            start = f"{request.method} {target} HTTP/1.1"
            message = head(start, (*request.headers.items(), *_OWN_HEADERS)) + (request.body or b"")
            response = await self._exchange(self._connections, request, message)
        except Exception as error:  # botocore's retries know only botocore's errors
            raise _as_botocore(error, request.url) from error
        location = response.headers.get("location")
        if response.status_code not in _REDIRECTS or location is None:
            return response
        response.raw.close()
        return await self._theirs.send(_moved(request, urljoin(request.url, location)))

    async def _exchange(
        self, connections: Connections, request: AWSPreparedRequest, message: bytes
    ) -> Response:
        try:
            return await _send(connections, request, message)
        except aiohttp.ClientConnectorError:
            raise
        # RFC 9112 section 9.3.1: each of these requests may be sent again.
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            return await _send(connections, request, message)


async def _send(connections: Connections, request: AWSPreparedRequest, message: bytes) -> Response:
    try:
        connection = await connections.connect()
    except TimeoutError as error:
        raise aiohttp.ConnectionTimeoutError("Connection timeout to the store") from error
    try:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(
            skip_payload=request.method == hdrs.METH_HEAD,
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=connections.timeout.sock_read,
            read_bufsize=_BUFFER,
        )
        transport.write(message)
        protocol.start_timeout()
        found, content = await protocol.read()
        while found.code < FINAL:
            found, content = await protocol.read()
        headers = {name.decode().lower(): value.decode() for name, value in found.raw_headers}
        response = Response(found.code, headers, Raw(request.url, content, connection))
        content.on_eof(connection.release)
        if not request.stream_output:
            await response.content
    except BaseException:  # a cancellation as well: the answer is still to come
        connection.close()
        raise
    return response


def _moved(request: AWSPreparedRequest, url: str) -> AWSPreparedRequest:
    """The request to where an answer leads; without its signature, if that is another server."""
    headers = dict(request.headers)
    if split(url)[0] != split(request.url)[0]:
        del headers[hdrs.HOST], headers[hdrs.AUTHORIZATION]
    return AWSPreparedRequest(
        request.method, url, cast(Any, headers), request.body, request.stream_output
    )


def split(url: str) -> tuple[str, str]:
    """Origin and target of a URL, which are sent as they stand here."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority}", slash + path


@lru_cache(_ORIGINS)
def host_of(origin: str) -> str:
    """The Host of requests to that origin (RFC 9112 section 3.2)."""
    return URL(origin).host_port_subcomponent or ""


def _as_botocore(error: Exception, url: str) -> BotoCoreError:
    """The error that botocore's retries know, as aiobotocore's session raises it."""
    match error:
        case aiohttp.ClientSSLError():
            return SSLError(endpoint_url=url, error=error)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return ConnectionClosedError(endpoint_url=url, error=error)
        case aiohttp.ConnectionTimeoutError():
            return ConnectTimeoutError(endpoint_url=url, error=error)
        case TimeoutError():
            return ReadTimeoutError(endpoint_url=url, error=error)
        case aiohttp.ClientConnectionError() | socket.gaierror():
            return EndpointConnectionError(endpoint_url=url, error=error)
        case _:
            return HTTPClientError(error=error)
