"""What each verifier of bearer tokens does, and the order in which they are asked."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from gateway.auth.cache import PrincipalCache, token_hash
from gateway.auth.principal import UNKNOWN, Principal, Refused
from gateway.auth.unknown_tokens import Question, Visitors
from gateway.errors import (
    ApplicationUnknown,
    ForeignToken,
    GatewayError,
    InvalidToken,
    TooManyUnknownTokens,
    Unavailable,
    VerifierUnavailable,
)


class Verifier(Protocol):
    """Finds out whom a bearer token belongs to."""

    async def verify(self, question: Question) -> Principal | Refused:
        """The principal of the question's token, or why it is not accepted.

        Raises VerifierUnavailable, TooManyUnknownTokens if that cannot be found out now.
        """


class Authenticator:
    """Asks the configured verifiers in order; the first that recognises the token decides."""

    def __init__(self, verifiers: Sequence[Verifier], cache: PrincipalCache) -> None:
        self._verifiers = verifiers
        self._cache = cache
        self._visitors = Visitors()
        self._asking: dict[bytes, asyncio.Task[Principal]] = {}

    async def authenticate(self, token: str, client: str) -> Principal:
        """The principal of a token that came from the address `client`.

        Requests with the same token share one verification.

        Raises InvalidToken if no verifier recognises it, ForeignToken if it belongs to an
        application that is not served here, VerifierUnavailable or TooManyUnknownTokens if a
        verifier could not be asked and no other recognises it.
        """
        if (cached := self._cache.get(token, time.time())) is not None:
            return cached
        key = token_hash(token)
        if (asking := self._asking.get(key)) is None:
            asking = asyncio.create_task(self._ask_and_remember(token, client, key))
            asking.add_done_callback(_take_notice)
            self._asking[key] = asking
        # A cancelled request does not cancel the verification that others wait for.
        return await asyncio.shield(asking)

    def recall(self, token: str) -> Principal | None:
        """The principal of a recently accepted token; asks no verifier."""
        return self._cache.get(token, time.time())

    async def close(self) -> None:
        """Cancel the verifications in progress."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask_and_remember(self, token: str, client: str, key: bytes) -> Principal:
        try:
            now = time.time()
            visitor = self._visitors.at(client)
            principal = await self._ask(Question(token, visitor, known=self._cache.knew(token)))
            if principal.expires is not None and principal.expires <= now:
                raise InvalidToken("the token has expired")
            self._cache.put(token, principal, now)
            return principal
        finally:
            del self._asking[key]

    async def _ask(self, question: Question) -> Principal:
        try:
            return await self._judged(question)
        except ApplicationUnknown:
            raise
        except GatewayError:
            question.in_vain()
            raise

    async def _judged(self, question: Question) -> Principal:
        unreachable: Unavailable | None = None
        reason = UNKNOWN
        for verifier in self._verifiers:
            try:
                verdict = await verifier.verify(question)
            except (VerifierUnavailable, TooManyUnknownTokens) as error:
                unreachable = error
                continue
            if isinstance(verdict, Principal):
                return verdict
            if verdict.foreign:
                raise ForeignToken(verdict.reason)
            if verdict.final:
                raise InvalidToken(verdict.reason)
            reason = verdict.reason if reason == UNKNOWN else reason
        raise unreachable or InvalidToken(reason)


def _take_notice(asking: "asyncio.Task[Principal]") -> None:
    """Ignore the failure of a task that no caller awaits any more."""
    if not asking.cancelled():
        asking.exception()
