"""ChatKitty's own opaque tokens: whoever ChatKitty knows by a token is its principal."""

from gateway.auth.principal import Principal
from gateway.errors import UpstreamError, VerifierUnavailable
from gateway.upstream.client import ChatKitty


class UpstreamVerifier:
    """Asks ChatKitty which application a token belongs to."""

    def __init__(self, chatkitty: ChatKitty) -> None:
        self._chatkitty = chatkitty

    async def verify(self, token: str) -> Principal | None:
        """The application as a principal. Raises VerifierUnavailable where ChatKitty is away."""
        try:
            identity = await self._chatkitty.whoami(f"Bearer {token}")
        except UpstreamError as error:
            raise VerifierUnavailable("ChatKitty cannot be asked about the token now") from error
        return Principal(f"application:{identity.application_id}") if identity is not None else None
