"""The gateway's own token: fetched once for all processes, and renewed before it expires.

Source: RFC 6749 section 4.4 (client credentials). Without Redis, each process fetches its own.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlencode

from aiohttp import encode_basic_auth
from redis.asyncio import Redis

from gateway.answer import Answer
from gateway.errors import UpstreamError, UpstreamUnavailable
from gateway.telemetry import get_logger
from gateway.upstream.shared_token import Seal, SharedToken, Token
from gateway.upstream.transport import Request, Transport

log = get_logger(__name__)

_FETCH_SECONDS: Final = 10.0
_PATIENCE: Final = _FETCH_SECONDS + 2.0
"""Seconds that a process without a token waits for another process to fetch one."""

_UNTOLD_LIFE: Final = 300.0
"""Seconds for which a token is used if the server does not say when it expires."""

_LONGEST_LIFE: Final = 7 * 86400.0
_LONGEST_TOKEN: Final = 8192


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The gateway's client credentials, and the endpoint that gives a token for them."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)


class OwnToken:
    """The token for the gateway's own client credentials; usable as `Credentials`."""

    def __init__(
        self, transport: Transport, client: ClientCredentials, redis: Redis, seal: Seal
    ) -> None:
        """Fetch tokens over `transport`, and share them, encrypted, through `redis`."""
        self._transport = transport
        self._client = client
        whose = hashlib.sha256(f"{client.token_url} {client.client_id}".encode()).hexdigest()
        self._shared = SharedToken(redis, f"gateway:upstream-token:{whose[:16]}", seal)
        self._local: Token | None = None
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, client: ClientCredentials, redis: Redis, seal: Seal) -> AsyncIterator[Self]:
        """One with its own connections; no server has to be reachable yet."""
        async with Transport.open(_FETCH_SECONDS) as transport:
            yield cls(transport, client, redis, seal)

    async def get(self) -> str:
        """A token that has not expired.

        Raises UpstreamUnavailable if none is available: retryable even if the credentials
        are refused, because an operator can fix that before any upload is lost.
        """
        return (await self._current(stale=None)).value

    async def refresh(self, stale: str) -> str:
        """Another token than `stale`, which got a 401.

        It is the same token if the server issues no other. Raises UpstreamUnavailable.
        """
        return (await self._current(stale)).value

    async def authorization(self) -> str:
        """The `Authorization` header with the token."""
        return f"Bearer {await self.get()}"

    async def renewed(self, refused: str) -> str | None:
        """The header with another token, None if there is no other."""
        renewed = f"Bearer {await self.refresh(refused.removeprefix('Bearer '))}"
        return renewed if renewed != refused else None

    async def _current(self, stale: str | None) -> Token:
        if (token := _fresh(self._local, stale)) is not None:
            return token
        if self._one_at_a_time.locked() and (old := _usable(self._local, stale)) is not None:
            return old  # another process renews it; this one is valid until then
        async with self._one_at_a_time:
            if (token := _fresh(self._local, stale)) is None:
                shared = await self._shared.read()
                old = _usable(shared, stale) or _usable(self._local, stale)
                self._local = old or self._local
                token = _fresh(shared, stale) or await self._renew(old, stale)
                self._local = token
            return token

    async def _renew(self, old: Token | None, stale: str | None) -> Token:
        """A new token, or one that another process fetched, or the old one until it expires."""
        async with self._shared.turn(patience=0.0 if old else _PATIENCE) as ours:
            if old and not ours:
                return old
            if (token := _fresh(await self._shared.read(), stale)) is not None:
                return token
            try:
                token = await self._fetch()
            except UpstreamError as error:
                log.warning("own_token.not_renewed", error=str(error), usable=old is not None)
                if (old := _usable(old, stale)) is None:
                    raise
                return old
            await self._shared.write(token)
        log.info("own_token.renewed", life=token.life)
        return token

    async def _fetch(self) -> Token:
        client = self._client
        request = Request(
            "POST",
            client.token_url,
            {
                "Accept": "application/json",
                "Authorization": encode_basic_auth(client.client_id, client.client_secret),
                "Content-Type": "application/x-www-form-urlencoded",
            },
            urlencode({"grant_type": "client_credentials"}).encode(),
        )
        asked_at = time.monotonic()
        return _token(await self._transport.exchange(request), asked_at)


def _fresh(token: Token | None, stale: str | None) -> Token | None:
    """`token` if it need not be renewed."""
    good = token is not None and token.value != stale and token.is_fresh(time.monotonic())
    return token if good else None


def _usable(token: Token | None, stale: str | None) -> Token | None:
    """`token` if it can be used a little longer."""
    good = token is not None and token.value != stale and token.is_usable(time.monotonic())
    return token if good else None


def _token(answer: Answer, asked_at: float) -> Token:
    """The token of a token endpoint's answer (RFC 6749 section 5.1)."""
    if not answer.is_success:
        raise UpstreamUnavailable(
            f"ChatKitty refused the gateway's own credentials ({answer.status})"
        )
    members = answer.json_object() or {}
    value, life = members.get("access_token"), members.get("expires_in")
    if not isinstance(value, str) or not _can_be_sent(value):
        raise UpstreamUnavailable("ChatKitty's token endpoint returned no token")
    seconds = _seconds(life)
    return Token(value, seconds, asked_at + seconds)


def _seconds(life: object) -> float:
    """How long to use a token with this lifetime."""
    if not isinstance(life, int | float) or (isinstance(life, float) and math.isnan(life)):
        return _UNTOLD_LIFE
    return float(min(max(life, 1), _LONGEST_LIFE))


def _can_be_sent(token: str) -> bool:
    """Whether the text can stand in an `Authorization` header."""
    plain = token.isascii() and token.isprintable() and " " not in token
    return plain and 0 < len(token) <= _LONGEST_TOKEN
