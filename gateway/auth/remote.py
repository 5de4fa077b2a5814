"""A verifier that asks somebody else, kept from asking too much.

Who does not answer is left alone for a while, and what was refused is not asked about again for a
few seconds.
"""

import time
from typing import Final

from gateway.auth.cache import RefusalCache
from gateway.auth.principal import Principal, Refused
from gateway.auth.verifiers import Verifier
from gateway.errors import VerifierUnavailable
from gateway.telemetry import get_logger
from gateway.upstream.breaker import CLOSED, failed, permit

log = get_logger(__name__)

LONGEST_REFUSAL: Final = 10.0
"""Seconds for which a refusal is believed."""


class RemoteVerifier:
    """Another verifier, behind a circuit breaker and a memory of refusals."""

    def __init__(self, verifier: Verifier, refusals: RefusalCache) -> None:
        self._verifier = verifier
        self._refusals = refusals
        # In this process alone: the next one finds out with its own first requests, while asking
        # Redis would be one more thing to wait for.
        self._circuit = CLOSED

    async def verify(self, token: str) -> Principal | Refused:
        """What the verifier says.

        Raises VerifierUnavailable where it cannot be asked, or lately could not.
        """
        if (refused := self._refusals.get(token, time.monotonic())) is not None:
            return refused
        self._circuit, wait = permit(self._circuit, time.monotonic())
        if wait > 0:
            raise VerifierUnavailable("whoever vouches for tokens does not answer", wait)
        try:
            verdict = await self._verifier.verify(token)
        except VerifierUnavailable as error:
            self._note_failure(error)
            raise
        self._circuit = CLOSED
        if isinstance(verdict, Refused):
            self._refusals.put(token, verdict, time.monotonic())
        return verdict

    def _note_failure(self, error: VerifierUnavailable) -> None:
        tripped = self._circuit.tripped
        self._circuit, now_tripped = failed(self._circuit, time.monotonic(), asked=0.0)
        log.warning(
            "verifier.unavailable", reason=repr(error.__cause__ or error), left_alone=now_tripped
        )
        if now_tripped and not tripped:
            log.warning("verifier.left_alone", failures=self._circuit.failures)
