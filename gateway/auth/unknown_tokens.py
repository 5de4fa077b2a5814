"""Limits on unknown tokens, so that one client cannot use up a verifier that all clients need.

Some verifiers ask an issuer about each unknown token. So each address may have only a few questions
in progress, and may send only a few tokens that turn out to be invalid. Tokens that were valid
lately are always verified.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from gateway.errors import TooManyUnknownTokens, VerifierUnavailable

AT_ONCE: Final = 32
"""Questions in progress about tokens of one address: a third of a pool's connections."""

WAITING: Final = 500
"""Tokens of one address that may wait for their question."""

IN_VAIN: Final = 300
PER_SECOND: Final = 5.0
"""Invalid tokens that one address may send at once, and how many more with each second."""

LONGEST_PAUSE: Final = 60.0
"""The longest wait for an address, in seconds, even if the issuer asks for a longer one."""

_ADDRESSES: Final = 10_000
_IPV6_SITE: Final = 64
"""Bits of an IPv6 address that its owner cannot choose."""


class Visitor:
    """What one address has asked; times are those of the monotonic clock."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._left = float(IN_VAIN)
        self._counted_at = 0.0
        self._paused_until = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place among the questions in progress. Raises TooManyUnknownTokens."""
        if self._waiting >= WAITING:
            raise _too_many(1.0)
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()

    def check(self, now: float) -> None:
        """Admit a question about a token that may be unknown.

        Raises TooManyUnknownTokens, or VerifierUnavailable if the issuer asked us to wait.
        """
        if now < self._paused_until:
            raise VerifierUnavailable(
                "the identity provider is rate-limiting the gateway", self._paused_until - now
            )
        if self._refilled(now) < 1:
            raise _too_many((1 - self._left) / PER_SECOND)

    def note_in_vain(self, now: float) -> None:
        """Count a token that no verifier accepted."""
        self._left = self._refilled(now) - 1

    def pause(self, now: float, seconds: float) -> None:
        """Ask the issuer nothing for this address for `seconds`, as the issuer demanded."""
        self._paused_until = now + min(max(seconds, 1.0), LONGEST_PAUSE)

    def _refilled(self, now: float) -> float:
        self._left = min(IN_VAIN, self._left + (now - self._counted_at) * PER_SECOND)
        self._counted_at = now
        return self._left


class Visitors:
    """The addresses that sent unknown tokens lately: the latest 10,000."""

    def __init__(self) -> None:
        self._visitors: OrderedDict[str, Visitor] = OrderedDict()

    def at(self, address: str) -> Visitor:
        """The visitor at that address; all addresses of an IPv6 site are one visitor."""
        place = _place(address)
        visitor = self._visitors.setdefault(place, Visitor())
        self._visitors.move_to_end(place)
        if len(self._visitors) > _ADDRESSES:
            self._visitors.popitem(last=False)
        return visitor


class Question:
    """A token to verify, and the visitor that sent it."""

    def __init__(self, token: str, visitor: Visitor, *, known: bool) -> None:
        """`known`: the token was valid lately, so the limits do not apply to it."""
        self.token = token
        self._visitor = visitor
        self._known = known
        self.asked = False
        """Whether an issuer was asked."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Ask an issuer about the token inside the block. Raises what `Visitor` raises."""
        self._check()
        async with self._visitor.turn():
            self._check()  # it may have waited for its turn
            yield

    def in_vain(self) -> None:
        """Count the token if an issuer was asked about it and it was not accepted."""
        if self.asked:
            self._visitor.note_in_vain(time.monotonic())

    def pause(self, seconds: float) -> None:
        """Note that the issuer, asked about this token, demanded a pause of `seconds`."""
        self._visitor.pause(time.monotonic(), seconds)

    def _check(self) -> None:
        if not self._known:
            self._visitor.check(time.monotonic())


def _too_many(wait: float) -> TooManyUnknownTokens:
    return TooManyUnknownTokens("too many tokens from your address were not accepted", wait)


def _place(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(ip_network((int(found), _IPV6_SITE), strict=False))
    return address
