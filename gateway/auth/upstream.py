"""ChatKitty's own opaque tokens: ChatKitty says whose they are, the settings who is let in."""

from typing import Final

from gateway.auth.applications import Applications
from gateway.auth.principal import Principal, Refused
from gateway.errors import UpstreamError, UpstreamRefused, VerifierUnavailable
from gateway.upstream.client import ChatKitty, Identity
from gateway.upstream.credentials import CallersOwn

_AWAY: Final = "ChatKitty cannot be asked about the token now"
_FOREIGN: Final = "the token is of an application that this gateway does not serve"
_CANNOT_BE_A_TOKEN: Final = frozenset({400, 413, 431})
"""Statuses by which servers refuse a header that they do not even look at."""


class UpstreamVerifier:
    """Asks ChatKitty which application a token belongs to."""

    def __init__(self, chatkitty: ChatKitty, applications: Applications) -> None:
        """Ask `chatkitty`, and let in the tokens of `applications`."""
        self._chatkitty = chatkitty
        self._applications = applications

    async def verify(self, token: str) -> Principal | Refused:
        """The application as a principal. Raises VerifierUnavailable where ChatKitty is away."""
        try:
            identity = await self._identity(token)
            return Refused() if identity is None else await self._judge(identity)
        except UpstreamError as error:
            raise VerifierUnavailable(_AWAY, error.retry_after) from error

    async def _identity(self, token: str) -> Identity | None:
        try:
            return await self._chatkitty.whoami(CallersOwn(f"Bearer {token}"))
        except UpstreamRefused as error:
            if error.status in _CANNOT_BE_A_TOKEN:
                return None
            raise

    async def _judge(self, identity: Identity) -> Principal | Refused:
        let_in = await self._applications.ids()
        if let_in is not None and identity.application_id not in let_in:
            return Refused(_FOREIGN, final=True, foreign=True)
        return Principal(f"application:{identity.application_id}")
