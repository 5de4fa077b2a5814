"""ChatKitty's own opaque tokens: ChatKitty names their subject, settings say which are accepted."""

from typing import Final

from gateway.auth.applications import Applications
from gateway.auth.principal import Principal, Refused
from gateway.auth.unknown_tokens import Question
from gateway.errors import (
    ApplicationUnknown,
    UpstreamError,
    UpstreamRefused,
    VerifierThrottled,
    VerifierUnavailable,
)
from gateway.upstream.client import ChatKitty, Identity
from gateway.upstream.credentials import CallersOwn
from gateway.upstream.retry import TOO_MANY_REQUESTS

_AWAY: Final = "ChatKitty cannot verify the token right now"
_FOREIGN: Final = "the token belongs to an application that this gateway does not serve"
_CANNOT_BE_A_TOKEN: Final = frozenset({400, 413, 431})
"""Statuses by which servers refuse a header before they look at its token."""


class UpstreamVerifier:
    """Asks ChatKitty which application a token belongs to."""

    def __init__(self, chatkitty: ChatKitty, applications: Applications) -> None:
        """Ask `chatkitty`, and accept the tokens of `applications`."""
        self._chatkitty = chatkitty
        self._applications = applications

    async def verify(self, question: Question) -> Principal | Refused:
        """The application as a principal. Raises VerifierUnavailable if ChatKitty is down."""
        try:
            identity = await self._identity(question.token)
        except UpstreamError as error:
            throttled = isinstance(error, UpstreamRefused) and error.status == TOO_MANY_REQUESTS
            kind = VerifierThrottled if throttled else VerifierUnavailable
            raise kind(_AWAY, error.retry_after) from error
        return Refused() if identity is None else await self._judge(identity)

    async def _identity(self, token: str) -> Identity | None:
        try:
            return await self._chatkitty.whoami(CallersOwn(f"Bearer {token}"))
        except UpstreamRefused as error:
            if error.status in _CANNOT_BE_A_TOKEN:
                return None
            raise

    async def _judge(self, identity: Identity) -> Principal | Refused:
        try:
            let_in = await self._applications.ids()
        except UpstreamError as error:
            raise ApplicationUnknown(_AWAY, error.retry_after) from error
        if let_in is not None and identity.application_id not in let_in:
            return Refused(_FOREIGN, final=True, foreign=True)
        return Principal(f"application:{identity.application_id}")
