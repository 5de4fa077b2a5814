"""Passes one request to the upstream unchanged, and streams the answer. Nothing is buffered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from gateway import tracing
from gateway.errors import UpstreamTimeout, UpstreamUnavailable
from gateway.heads import ExactRequest, has_fit_length
from gateway.upstream.connections import connector

CONNECT_SECONDS = 10.0
UNREACHABLE = "ChatKitty cannot be reached"
NOT_HTTP = "ChatKitty's answer is not valid HTTP"

SWITCHING = 101
_STATUSES = range(100, 600)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_CODINGS = (["chunked"], ["identity"])
_OWN_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request for the upstream: `path` with its query, exactly as the client wrote it.

    `body` is None if the request has none; its Content-Length, if any, is in `headers`.
    """

    method: str
    path: str
    headers: CIMultiDict[str]
    body: AsyncIterator[bytes] | None
    websocket: bool = False
    """Whether it asks for a WebSocket."""


def upstream_session(timeout: float) -> aiohttp.ClientSession:
    """A connection pool that neither adds nor drops headers, keeps no cookies, decodes no content.

    `timeout` is how long the upstream may stay silent, in seconds.
    """
    return aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=connector(limit=0),
        request_class=ExactRequest,
        skip_auto_headers=_OWN_HEADERS,
        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=timeout),
    )


async def read_on(content: aiohttp.StreamReader, patience: float) -> bytes:
    """The next bytes of an answer, none at its end. Raises UpstreamUnavailable if it breaks off.

    aiohttp's compiled parser drops a body with broken chunks, and its reader would wait forever: so
    this waits at most `patience` seconds.
    """
    try:
        if content.is_eof():  # all of it has arrived
            return await content.readany()
        async with asyncio.timeout(patience):
            return await content.readany()
    # aiohttp raises RuntimeError if the transport is gone and the reader does not know it yet.
    except (aiohttp.ClientError, TimeoutError, RuntimeError) as error:
        raise UpstreamUnavailable("ChatKitty's answer broke off", outcome_unknown=True) from error


def may_act(method: str) -> bool:
    """Whether a request of that method changes anything (RFC 9110 section 9.2.1)."""
    return method not in _SAFE


def plain_fault(status: int, headers: CIMultiDictProxy[str]) -> str | None:
    """The result of `answer_fault` for an answer that is plain (see `plain_answer`)."""
    return NOT_HTTP if status not in _STATUSES or " " in "".join(headers) else None


def answer_fault(
    status: int, headers: CIMultiDictProxy[str], *, switches: bool = False
) -> str | None:
    """Why an answer cannot be passed on, though it could be parsed; None if it can.

    `switches`: a WebSocket was asked for, and nothing else.

    RFC 9110 section 15 (a status beyond 599 or below 100), section 15.2.2 (to switch to a protocol
    that was not requested); RFC 9112 section 6.1 (a coding that was not requested) and 6.3 (a
    length too large to count). Section 5.1: no blank follows a header's name. aiohttp's compiled
    parser takes it, but only for the headers that frame an answer, and obeys these.
    """
    if (fault := plain_fault(status, headers)) is not None:
        return fault
    if status == SWITCHING and not (switches and headers.get("Upgrade", "").lower() == "websocket"):
        return "ChatKitty switched to another protocol"
    if not has_fit_length(headers):
        return NOT_HTTP
    if hdrs.TRANSFER_ENCODING in headers:
        codings = [each.lower() for each in headers.getall(hdrs.TRANSFER_ENCODING)]
        return None if codings in _CODINGS else NOT_HTTP
    return None


def _fault_of(outgoing: Outgoing, response: aiohttp.ClientResponse) -> str | None:
    return answer_fault(response.status, response.headers, switches=outgoing.websocket)


class Forwarder:
    """Sends requests to one upstream."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, patience: float) -> None:
        """Wait at most `patience` seconds for the head of an answer, once all was sent."""
        self._session = session
        self._origin = str(URL(base_url).origin())
        self._patience = patience

    @asynccontextmanager
    async def send(self, outgoing: Outgoing) -> AsyncIterator[aiohttp.ClientResponse]:
        """The upstream's answer, as soon as its head is here; perhaps before the body was all sent.

        A body that raises cuts the upstream's connection, and its error is raised here. Raises
        UpstreamUnavailable and UpstreamTimeout.
        """
        outgoing.headers.update(tracing.carried())
        body = _Watched(outgoing.body) if outgoing.body is not None else None
        try:
            response = await self._answer_to(outgoing, body)
        except TimeoutError as error:
            _raise_of_body(body)
            raise UpstreamTimeout(
                "ChatKitty did not answer in time",
                outcome_unknown=_was_sent(body, error) and may_act(outgoing.method),
            ) from error
        except aiohttp.ClientError as error:
            _raise_of_body(body)
            why = NOT_HTTP if isinstance(error, aiohttp.ClientResponseError) else UNREACHABLE
            sent = _was_sent(body, error)
            raise UpstreamUnavailable(
                why, outcome_unknown=sent and may_act(outgoing.method)
            ) from error
        if (fault := _fault_of(outgoing, response)) is not None:
            response.close()
            raise UpstreamUnavailable(fault, outcome_unknown=may_act(outgoing.method))
        try:
            yield response
        finally:
            response.close() if not response.content.at_eof() else response.release()

    async def _answer_to(
        self, outgoing: Outgoing, body: "_Watched | None"
    ) -> aiohttp.ClientResponse:
        """The upstream's answer, as soon as its head is here.

        The session's own limit begins again with each byte, as of interim answers without end.
        """
        now = asyncio.get_running_loop().time
        async with asyncio.timeout(None) as limit:
            if body is None:
                limit.reschedule(now() + CONNECT_SECONDS + self._patience)
            else:
                body.when_read = lambda: limit.reschedule(now() + self._patience)
            try:
                return await self._session.request(
                    outgoing.method,
                    URL(self._origin + outgoing.path, encoded=True),
                    headers=outgoing.headers,
                    data=body,
                    allow_redirects=False,
                )
            finally:
                if body is not None:
                    body.when_read = _nothing


class _Watched:
    """A body that remembers why it broke, since the client library reports only that it did."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self.error: Exception | None = None
        self.begun = False
        self.when_read: Callable[[], None] = _nothing
        """Called when all of it was taken."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        try:
            async for chunk in self._body:
                yield chunk
        except Exception as error:
            self.error = error
            raise
        self.when_read()


def _nothing() -> None:
    """Do nothing."""


def _was_sent(body: _Watched | None, error: Exception) -> bool:
    """Whether the upstream may have read the request: its head goes with its body's first bytes."""
    if body is not None:
        return body.begun
    return not isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError)


def _raise_of_body(body: _Watched | None) -> None:
    if body is not None and body.error is not None:
        raise body.error
