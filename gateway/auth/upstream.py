"""ChatKitty's own opaque tokens: whoever ChatKitty knows by a token is its principal."""

from typing import Final

from gateway.auth.principal import Principal, Refused
from gateway.errors import UpstreamError, UpstreamRefused, VerifierUnavailable
from gateway.upstream.client import ChatKitty

_AWAY: Final = "ChatKitty cannot be asked about the token now"
_CANNOT_BE_A_TOKEN: Final = frozenset({400, 413, 431})
"""Statuses by which servers refuse a header that they do not even look at."""


class UpstreamVerifier:
    """Asks ChatKitty which application a token belongs to."""

    def __init__(self, chatkitty: ChatKitty) -> None:
        self._chatkitty = chatkitty

    async def verify(self, token: str) -> Principal | Refused:
        """The application as a principal. Raises VerifierUnavailable where ChatKitty is away."""
        try:
            identity = await self._chatkitty.whoami(f"Bearer {token}")
        except UpstreamError as error:
            if isinstance(error, UpstreamRefused) and error.status in _CANNOT_BE_A_TOKEN:
                return Refused()
            raise VerifierUnavailable(_AWAY, error.retry_after) from error
        if identity is None:
            return Refused()
        return Principal(f"application:{identity.application_id}")
