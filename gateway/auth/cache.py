"""What verifiers vouched for, kept for a short time by the token's hash. Pure but for memory."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from gateway.auth.principal import Principal

_CAPACITY = 10_000


@dataclass(frozen=True, slots=True)
class _Entry:
    principal: Principal
    until: float


def token_hash(token: str) -> bytes:
    """The name under which a token is remembered: it cannot be read back from it."""
    return hashlib.sha256(token.encode()).digest()


class PrincipalCache:
    """At most 10,000 principals; the one that was kept first is forgotten first."""

    def __init__(self, lifetime: float) -> None:
        """Keep each for `lifetime` seconds, and never beyond its own end."""
        self._lifetime = lifetime
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def get(self, token: str, now: float) -> Principal | None:
        """The principal of a token that was vouched for lately; `now` in epoch seconds."""
        entry = self._entries.get(token_hash(token))
        return entry.principal if entry is not None and now < entry.until else None

    def put(self, token: str, principal: Principal, now: float) -> None:
        """Remember who the token belongs to."""
        until = now + self._lifetime
        if principal.expires is not None:
            until = min(until, principal.expires)
        key = token_hash(token)
        self._entries.pop(key, None)
        self._entries[key] = _Entry(principal, until)
        if len(self._entries) > _CAPACITY:
            self._entries.popitem(last=False)
