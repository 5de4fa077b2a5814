"""The border of all verifiers of bearer tokens, and the order in which they are asked."""

import time
from collections.abc import Sequence
from typing import Protocol

from gateway.auth.cache import PrincipalCache
from gateway.auth.principal import Principal
from gateway.errors import InvalidToken, VerifierUnavailable


class Verifier(Protocol):
    """Says whom a bearer token belongs to."""

    async def verify(self, token: str) -> Principal | None:
        """The principal, or None where the token is not one that this verifier knows.

        Raises VerifierUnavailable where it cannot be told.
        """


class Authenticator:
    """Asks the configured verifiers in their order; the first that knows the token decides."""

    def __init__(self, verifiers: Sequence[Verifier], cache: PrincipalCache) -> None:
        self._verifiers = verifiers
        self._cache = cache

    async def authenticate(self, token: str) -> Principal:
        """The token's principal.

        Raises InvalidToken where no verifier knows it, VerifierUnavailable where none knows it
        and one could not be asked.
        """
        now = time.time()
        if (cached := self._cache.get(token, now)) is not None:
            return cached
        principal = await self._ask(token)
        if principal.expires is not None and principal.expires <= now:
            raise InvalidToken("the token has expired")
        self._cache.put(token, principal, now)
        return principal

    def recall(self, token: str) -> Principal | None:
        """The principal of a token that was vouched for lately; asks no verifier."""
        return self._cache.get(token, time.time())

    async def _ask(self, token: str) -> Principal:
        unreachable: VerifierUnavailable | None = None
        for verifier in self._verifiers:
            try:
                principal = await verifier.verify(token)
            except VerifierUnavailable as error:
                unreachable = error
                continue
            if principal is not None:
                return principal
        raise unreachable or InvalidToken("the token is unknown, revoked or expired")
