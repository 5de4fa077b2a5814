"""The identity provider's keys: kept, and fetched again regularly and when a key is unknown.

The provider is asked rarely, however many unknown keys tokens name and however long it is down, and
the known keys keep working.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import SystemRandom
from typing import Final, Self

from gateway.answer import Answer
from gateway.auth.keys import KeySet, key_set
from gateway.choices import SignatureAlgorithm
from gateway.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable, VerifierUnavailable
from gateway.telemetry import get_logger
from gateway.upstream.transport import Request, Transport

_NO_KEYS: Final = "the identity provider's keys could not be fetched"
log = get_logger(__name__)

FETCH_SECONDS: Final = 5.0
"""The longest that the provider may take."""

_LONGEST_URL: Final = 500

_FIRST_RETRY: Final = 1.0
_LAST_RETRY: Final = 15.0
"""Seconds between two attempts in the background while the provider is unavailable; they double."""

_AFTER_A_CHANGE: Final = 1.0
"""Seconds before unknown keys may cause a fetch again, if the last fetch brought new keys."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where keys come from, and how long they are used; all times are in seconds.

    `refresh`: when they are fetched again; `cooldown`: how long unknown keys cause no fetch after
    one that brought nothing new; `outage`: how long they are used beyond their refresh.
    """

    url: str
    algorithms: Collection[SignatureAlgorithm]
    refresh: float
    cooldown: float
    outage: float


async def fetch_keys(transport: Transport, source: KeySource) -> KeySet:
    """The keys that are published now, at least one.

    Redirects are not followed. Raises VerifierUnavailable, whose text says why there are none.
    """
    request = Request("GET", source.url, {"Accept": "application/jwk-set+json, application/json"})
    try:
        answer = await transport.exchange(request)
    except UpstreamError as error:
        raise VerifierUnavailable(f"{_NO_KEYS}: {_what(error)}") from error
    if answer.status != 200:
        raise VerifierUnavailable(f"{_NO_KEYS}: answer {answer.status}")
    keys = key_set(answer.body, source.algorithms)
    if keys is None:
        raise VerifierUnavailable(f"{_NO_KEYS}: the answer is not a key set{_instead(answer)}")
    if not keys.keys:
        raise VerifierUnavailable(f"{_NO_KEYS}: none in the set is usable")
    return keys


class Jwks:
    """The keys of one provider, for all requests of the process."""

    def __init__(self, transport: Transport, source: KeySource) -> None:
        """Fetch keys over `transport`; `keep_fresh` has to run concurrently."""
        self._transport = transport
        self._source = source
        self._keys: KeySet | None = None
        self._good_until = 0.0
        self._fetching: asyncio.Task[None] | None = None
        self._failure: VerifierUnavailable | None = None
        self._next_on_demand = 0.0

    @classmethod
    @asynccontextmanager
    async def open(cls, source: KeySource) -> AsyncIterator[Self]:
        """The keys, kept fresh inside the block; the provider need not be reachable yet."""
        async with Transport.open(FETCH_SECONDS) as transport:
            jwks = cls(transport, source)
            task = asyncio.create_task(jwks.keep_fresh())
            try:
                yield jwks
            finally:
                await _end(task)
                await _end(jwks._fetching)

    async def keep_fresh(self) -> None:
        """Fetch the keys over and over."""
        retry = _FIRST_RETRY
        while True:
            await self._fetch()
            if self._failure is None:
                retry = _FIRST_RETRY
                await asyncio.sleep(self._source.refresh)
            else:
                await asyncio.sleep(
                    min(self._source.refresh, retry * SystemRandom().uniform(0.5, 1))
                )
                retry = min(_LAST_RETRY, retry * 2)

    async def current(self) -> KeySet:
        """The keys as they were fetched last. Raises VerifierUnavailable if there are none."""
        keys = self._believed()
        if keys is None:
            await self._fetch_on_demand()
            keys = self._believed()
        if keys is None:
            raise self._unavailable()
        return keys

    async def newer_than(self, keys: KeySet) -> KeySet:
        """The keys after another fetch, or `keys` if it is too early for one.

        Raises VerifierUnavailable if the provider does not answer.
        """
        joins = self._fetching is not None
        if self._keys is keys:
            await self._fetch_on_demand()
        if joins and self._failure is None and not (self._keys and self._keys.adds_to(keys)):
            await self._fetch_on_demand()  # the other one may have been answered too early
        if self._failure is not None or self._keys is None:
            raise self._unavailable()
        return self._keys

    def _believed(self) -> KeySet | None:
        return self._keys if time.monotonic() < self._good_until else None

    def _unavailable(self) -> VerifierUnavailable:
        detail = str(self._failure or "the identity provider's keys have not been fetched yet")
        return VerifierUnavailable(detail, max(1.0, self._next_on_demand - time.monotonic()))

    async def _fetch_on_demand(self) -> None:
        if self._fetching is None:
            if time.monotonic() < self._next_on_demand:
                return
            self._next_on_demand = time.monotonic() + self._source.cooldown
        before = self._keys
        await self._fetch()
        if self._keys is not None and self._keys.adds_to(before):
            pause = min(self._source.cooldown, _AFTER_A_CHANGE)
            self._next_on_demand = min(self._next_on_demand, time.monotonic() + pause)

    async def _fetch(self) -> None:
        """Fetch the keys, or wait for the fetch in progress, which no cancelled caller stops."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_once())
        await asyncio.shield(self._fetching)

    async def _fetch_once(self) -> None:
        asked_at = time.monotonic()
        try:
            keys = await fetch_keys(self._transport, self._source)
        except VerifierUnavailable as error:
            log.warning("jwks.not_fetched", reason=str(error), usable=self._believed() is not None)
            self._failure = error
        except Exception as error:  # an unforeseen document: the next one may be better
            log.exception("jwks.failed")
            self._failure = VerifierUnavailable("the identity provider's keys cannot be read")
            self._failure.__cause__ = error
        else:
            if keys.adds_to(self._keys):
                log.info("jwks.changed", keys=[key.kid for key in keys.keys])
            self._keys = keys
            self._good_until = asked_at + self._source.refresh + self._source.outage
            self._failure = None
        finally:
            self._fetching = None


def _instead(answer: Answer) -> str:
    """What was published instead of a key set, if it is one of the usual mistakes."""
    members = answer.json_object() or {}
    found = members.get("jwks_uri")
    if isinstance(found, str) and found.isprintable() and len(found) <= _LONGEST_URL:
        return f", but names one: {found}"
    if any(isinstance(each, str) and "BEGIN CERTIFICATE" in each for each in members.values()):
        return ", but certificates: use the URL of the provider's JWK Set"
    return ""


def _what(error: UpstreamError) -> str:
    if isinstance(error, UpstreamTimeout):
        return "no answer in time"
    return "no connection" if isinstance(error, UpstreamUnavailable) else "the answer is too large"


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
