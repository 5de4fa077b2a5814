"""A verifier that asks a server, and limits on how often it asks.

An issuer that does not answer is not asked for a while, and nothing is asked about a refused token
again for a few seconds. No client's token decides that the issuer is down, since it may fail on
just that token: before a pause, and before its end, the verifier asks about a token that it makes
up.
"""

import asyncio
import time
from secrets import token_urlsafe
from typing import Final

from gateway.auth.cache import RefusalCache
from gateway.auth.principal import Principal, Refused
from gateway.auth.unknown_tokens import Question, Visitor
from gateway.auth.verifiers import Verifier
from gateway.errors import ApplicationUnknown, VerifierThrottled, VerifierUnavailable
from gateway.telemetry import get_logger
from gateway.upstream.breaker import CLOSED, PROBE, failed, permit

log = get_logger(__name__)

LONGEST_REFUSAL: Final = 10.0
"""Seconds for which a refusal is remembered."""


class RemoteVerifier:
    """Another verifier behind a circuit breaker, with a memory of refusals."""

    def __init__(self, verifier: Verifier, refusals: RefusalCache) -> None:
        self._verifier = verifier
        self._refusals = refusals
        # Of this process alone: others find out by their own first requests, and asking Redis
        # would be one more thing to wait for.
        self._circuit = CLOSED
        self._one_at_a_time = asyncio.Lock()

    async def verify(self, question: Question) -> Principal | Refused:
        """What the verifier says.

        Raises VerifierUnavailable if it cannot be asked, or recently could not, and what a turn of
        the question raises.
        """
        if (refused := self._refusals.get(question.token, time.monotonic())) is not None:
            return refused
        async with question.turn():
            await self._see_whether_it_answers()
            verdict = await self._ask(question)
        if isinstance(verdict, Refused):
            self._refusals.put(question.token, verdict, time.monotonic())
        return verdict

    async def _ask(self, question: Question) -> Principal | Refused:
        question.asked = True
        try:
            verdict = await self._verifier.verify(question)
        except VerifierThrottled as error:
            log.warning("verifier.throttled", seconds=error.retry_after)
            question.pause(error.retry_after)
            raise
        except ApplicationUnknown as error:
            log.warning("verifier.unavailable", reason=repr(error.__cause__ or error))
            raise
        except VerifierUnavailable as error:
            await self._note_failure(error)
            raise
        self._circuit = CLOSED
        return verdict

    async def _see_whether_it_answers(self) -> None:
        """Raises VerifierUnavailable while the issuer is not asked."""
        self._circuit, wait = permit(self._circuit, time.monotonic())
        if wait > 0:
            raise VerifierUnavailable("the identity provider is not responding", wait)
        if not self._circuit.tripped:
            return
        if not await self._answers():
            self._circuit, _ = failed(self._circuit, time.monotonic(), asked=0.0)
            raise VerifierUnavailable("the identity provider is not responding")
        self._circuit = CLOSED

    async def _note_failure(self, error: VerifierUnavailable) -> None:
        log.warning("verifier.unavailable", reason=repr(error.__cause__ or error))
        async with self._one_at_a_time:
            if self._circuit.tripped:
                return
            circuit, trips = failed(self._circuit, time.monotonic(), asked=0.0)
            if trips and await self._answers():
                circuit = CLOSED
            elif trips:
                log.warning("verifier.paused", failures=circuit.failures)
            self._circuit = circuit

    async def _answers(self) -> bool:
        """Whether the issuer answers about a token that no client chose."""
        question = Question(token_urlsafe(), Visitor(), known=False)
        try:
            async with asyncio.timeout(PROBE):
                await self._verifier.verify(question)
        except VerifierThrottled:
            return True
        except (VerifierUnavailable, TimeoutError):
            return False
        return True
