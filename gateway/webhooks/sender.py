"""Sends one message to one endpoint, once.

Addresses are checked when a socket is made for them, so what was checked is what is connected to,
whether it was in the URL or came from a name that leads elsewhere by now. Redirects are failures,
and no proxy of the environment is used.
"""

import errno
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

import aiohttp
from aiohappyeyeballs import AddrInfoType
from yarl import URL

from gateway.webhooks.addresses import Allowed, why_refused
from gateway.webhooks.endpoints import Endpoint
from gateway.webhooks.messages import CONTENT_TYPES
from gateway.webhooks.signing import headers_of

SECONDS: Final = 20.0
"""The longest that an attempt takes."""

_CONNECT_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 5.0
"""Seconds after which an idle connection is closed: sooner than servers close theirs."""

LARGEST_ANSWER: Final = 16 * 1024
_SHOWN: Final = 200
_USER_AGENT: Final = "chatkitty-gateway"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an attempt; `status` is None if there was no whole answer.

    `detail` is one line of at most 200 characters.
    """

    status: int | None
    detail: str
    retry_after: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the receiver has accepted the message."""
        return self.status is not None and 200 <= self.status < 300


class Sender:
    """Connections to endpoints."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Use a session made by `open`."""
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(cls, allowed: Allowed, seconds: float = SECONDS) -> AsyncIterator[Self]:
        """A sender that connects only to allowed addresses; an attempt may take `seconds`."""

        def make(info: AddrInfoType) -> socket.socket:
            family, kind, protocol, _, address = info
            if (reason := why_refused(str(address[0]), allowed)) is not None:
                raise OSError(errno.EACCES, reason)
            return socket.socket(family, kind, protocol)

        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=_IDLE_SECONDS, socket_factory=make
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _USER_AGENT},
            timeout=aiohttp.ClientTimeout(total=seconds, connect=min(seconds, _CONNECT_SECONDS)),
            auto_decompress=False,
            trust_env=False,
        ) as session:
            yield cls(session)

    async def send(self, endpoint: Endpoint, message_id: str, body: bytes) -> Report:
        """Send the message, signed for this moment. Raises nothing for what a receiver does."""
        headers = headers_of(message_id, int(time.time()), body, endpoint.keys)
        headers["Content-Type"] = CONTENT_TYPES[endpoint.format]
        try:
            return await self._send(URL(endpoint.url, encoded=True), headers, body)
        except TimeoutError:
            return Report(None, "the receiver did not answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Report(None, _line(str(error) or type(error).__name__))

    async def _send(self, url: URL, headers: dict[str, str], body: bytes) -> Report:
        async with self._session.post(
            url, data=body, headers=headers, allow_redirects=False
        ) as response:
            text = await _beginning(response)
            return Report(response.status, _line(text), response.headers.get("Retry-After"))


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The beginning of the answer's body. The status counts, whatever the body is."""
    answer = bytearray()
    try:
        async for chunk in response.content.iter_any():
            answer += chunk
            if len(answer) > LARGEST_ANSWER:
                response.close()
                break
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
        response.close()
    return bytes(answer[: 4 * _SHOWN]).decode(errors="replace")


def _line(text: str) -> str:
    """The beginning of a text, as one line."""
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * _SHOWN])
    return " ".join(shown.split())[:_SHOWN]
