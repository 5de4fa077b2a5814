"""What verifiers answered, kept for a short time by the token's hash. Does no I/O."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.auth.principal import Principal, Refused

_CAPACITY = 10_000

Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Said]):
    said: Said
    until: float


def token_hash(token: str) -> bytes:
    """The hash under which a token is remembered; the token cannot be recovered from it."""
    return hashlib.sha256(token.encode()).digest()


class _Cache(Generic[Said]):
    """At most 10,000 entries; the oldest is forgotten first."""

    def __init__(self, lifetime: float) -> None:
        """Keep each for at most `lifetime` seconds."""
        self._lifetime = lifetime
        self._entries: OrderedDict[bytes, _Entry[Said]] = OrderedDict()

    def get(self, token: str, now: float) -> Said | None:
        """What is remembered about a token, if it is recent enough."""
        entry = self._entries.get(token_hash(token))
        return entry.said if entry is not None and now < entry.until else None

    def knew(self, token: str) -> bool:
        """Whether anything is remembered about the token, however old it is."""
        return token_hash(token) in self._entries

    def _keep(self, token: str, said: Said, until: float) -> None:
        key = token_hash(token)
        self._entries.pop(key, None)
        self._entries[key] = _Entry(said, until)
        if len(self._entries) > _CAPACITY:
            self._entries.popitem(last=False)


class PrincipalCache(_Cache[Principal]):
    """The principals of accepted tokens; `now` is in epoch seconds."""

    def put(self, token: str, principal: Principal, now: float) -> None:
        """Remember the token's subject, at most until the token expires."""
        until = now + self._lifetime
        if principal.expires is not None:
            until = min(until, principal.expires)
        self._keep(token, principal, until)


class RefusalCache(_Cache[Refused]):
    """The refusals of a verifier; separate, so a flood of bad tokens displaces no good ones."""

    def put(self, token: str, refused: Refused, now: float) -> None:
        """Remember why the token was refused; `now` is of any clock, always the same one."""
        self._keep(token, refused, now + self._lifetime)
