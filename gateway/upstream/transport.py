"""A small HTTP exchange with the upstream: limited in size and time, without redirects."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Self

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from gateway import tracing
from gateway.answer import Answer, kept_headers
from gateway.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable
from gateway.upstream.connections import connector

LARGEST_ANSWER: Final = 1024 * 1024
_CONNECT_SECONDS: Final = 10.0
_MOST_CONNECTIONS: Final = 100
_USER_AGENT: Final = "chatkitty-gateway"


@dataclass(frozen=True, slots=True)
class Request:
    """A request with a small body; `url` is absolute and sent as it is written.

    `idempotent`: sending it twice has the effect of sending it once. `send_by`: the time of the
    monotonic clock after which it may not be sent any more.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    idempotent: bool = True
    send_by: float | None = None


class Transport:
    """A pool of connections for such exchanges."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Use a session made by `open`, which keeps no cookies and follows no redirects."""
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(cls, seconds: float) -> AsyncIterator[Self]:
        """One with its own connections, closed at the end; an exchange may take `seconds`."""
        async with aiohttp.ClientSession(
            connector=connector(_MOST_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _USER_AGENT},
            timeout=aiohttp.ClientTimeout(total=seconds, connect=min(seconds, _CONNECT_SECONDS)),
        ) as session:
            yield cls(session)

    async def exchange(self, request: Request) -> Answer:
        """The complete answer, whatever its status.

        Raises UpstreamUnavailable, UpstreamTimeout, or UpstreamError for an answer that is too
        large. Each has `outcome_unknown` if the request is not idempotent and may have been
        read: from the moment that its first byte was handed to the connection.
        """
        body = _Body(request.body, request.send_by)
        try:
            with tracing.asking(request.method):
                return await self._exchange(request, body)
        except aiohttp.ConnectionTimeoutError as error:
            raise UpstreamUnavailable("ChatKitty cannot be reached in time") from error
        except TimeoutError as error:
            raise UpstreamTimeout(
                "ChatKitty did not answer in time", outcome_unknown=_may_act(request, body)
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamUnavailable(
                "ChatKitty cannot be reached, or broke the connection",
                outcome_unknown=_may_act(request, body),
            ) from error

    async def _exchange(self, request: Request, body: "_Body") -> Answer:
        headers = CIMultiDict(request.headers)
        headers.update(tracing.carried())
        if request.body is not None:
            headers["Content-Length"] = str(len(request.body))
        async with self._session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=headers,
            data=body if request.body is not None else None,
            allow_redirects=False,
        ) as response:
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > LARGEST_ANSWER:
                    response.close()
                    raise UpstreamError(
                        "ChatKitty's answer is too large", outcome_unknown=not request.idempotent
                    )
            return Answer(response.status, kept_headers(response.headers), bytes(content))


class _Body:
    """A request's body that knows whether any of the request was sent.

    aiohttp sends the head together with the first bytes of the body, and not before.
    """

    def __init__(self, content: bytes | None, send_by: float | None) -> None:
        self._content = content or b""
        self._send_by = send_by
        self.begun = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # The last check of all: the process may have been suspended before it.
        if self._send_by is not None and time.monotonic() > self._send_by:
            raise TimeoutError("too late to send the request")
        self.begun = True
        yield self._content


def _may_act(request: Request, body: _Body) -> bool:
    """Whether the upstream may execute the request (once more) although the exchange broke."""
    return body.begun and not request.idempotent
