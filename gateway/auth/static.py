"""Tokens of a fixed list, for development; only their hashes are held."""

from collections.abc import Mapping

from gateway.auth.cache import token_hash
from gateway.auth.principal import Principal, Refused
from gateway.auth.unknown_tokens import Question


class StaticVerifier:
    """Accepts the tokens of its list."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        """Accept the tokens of {token: subject}."""
        self._principals = {
            token_hash(token): Principal(subject) for token, subject in tokens.items()
        }

    async def verify(self, question: Question) -> Principal | Refused:
        """The principal of a listed token."""
        return self._principals.get(token_hash(question.token)) or Refused()
