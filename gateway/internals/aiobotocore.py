"""The private names of aiobotocore that are used."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import aiohttp
from aiohttp.connector import BaseConnector, Connection
from botocore.awsrequest import AWSPreparedRequest
from botocore.model import OperationModel
from yarl import URL

__all__ = [
    "Connections",
    "HttpResponse",
    "HttpSession",
    "connections_of",
    "http_session_of",
    "resolve_endpoint",
]


class HttpResponse(Protocol):
    """An answer; the names of its headers are in lower case."""

    status_code: int
    headers: Mapping[str, str]
    raw: Any

    @property
    def content(self) -> Awaitable[bytes]:
        """The whole body."""


class HttpSession(Protocol):
    """What aiobotocore sends its requests by."""

    async def send(self, request: AWSPreparedRequest) -> HttpResponse:
        """Send it, and read the body of its answer as well unless it is to be streamed.

        Raises BotoCoreError if no answer arrives.
        """


def http_session_of(client: object) -> HttpSession:
    """The session of a client of aiobotocore, which ends with the client."""
    return cast(HttpSession, cast(Any, client)._endpoint.http_session)


@dataclass(frozen=True, slots=True)
class Connections:
    """Where a session of aiobotocore keeps its connections to one server."""

    connector: BaseConnector
    timeout: aiohttp.ClientTimeout
    _to: aiohttp.ClientRequest

    async def connect(self) -> Connection:
        """A connection that was kept, or a new one. Raises aiohttp.ClientError, TimeoutError."""
        return await self.connector.connect(self._to, [], self.timeout)


async def connections_of(session: HttpSession, origin: URL) -> Connections | None:
    """The connections of a session to a server; None if it reaches that through a proxy."""
    private = cast(Any, session)
    if private._proxy_config.proxy_url_for(str(origin)) is not None:
        return None
    connector = (await private._get_session(None)).connector
    to = aiohttp.ClientRequest("GET", origin, loop=asyncio.get_running_loop())
    return Connections(connector, private._timeout, to)


async def resolve_endpoint(
    client: object,
    operation: OperationModel,
    params: dict[str, Any],
    context: dict[str, Any],
) -> str:
    """The URL that such a client sends such a call to; `context` gets how the call is signed.

    Raises BotoCoreError.
    """
    url: str
    url, _, _ = await cast(Any, client)._resolve_endpoint_ruleset(operation, params, context)
    return url
