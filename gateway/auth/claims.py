"""What the claims of an accepted token mean, whichever verifier it is. Pure.

Sources: RFC 7519 section 4.1, RFC 7662 section 2.2, RFC 8725 section 3, RFC 9068 section 2.2; the
providers of docs/identity-providers.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.auth.principal import ChatUser, Principal

Claims = Mapping[str, object]

LATEST: Final = 253_402_300_799.0
"""The last second of the year 9999; `datetime` has no later times."""

_LONGEST_SUBJECT: Final = 255
_TIMES: Final = ("exp", "nbf", "iat")
_HASHES_OF_ID_TOKENS: Final = ("at_hash", "c_hash", "s_hash")
_ACCESS: Final = frozenset({"access", "at+jwt", "bearer", "jwt"})


@dataclass(frozen=True, slots=True)
class UserRule:
    """The claim that names the ChatKitty user, and the scope, if any, that allows any user."""

    claim: str
    any_user_scope: str | None


@dataclass(frozen=True, slots=True)
class Demands:
    """The rules for claims, and which claims say what a token may do.

    `clients` are the ids of clients whose tokens need no `aud`. `leeway` is in seconds. The first
    of the `scope_claims` that a token has is used.
    """

    audiences: frozenset[str]
    clients: frozenset[str]
    leeway: float
    scope_claims: Sequence[str]
    user: UserRule | None


def instant(value: object) -> float | None:
    """A NumericDate in epoch seconds, None for anything else: no text, no bool, no infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= LATEST else None


def end_of(claims: Claims, leeway: float) -> float | None:
    """When the token expires, in epoch seconds; None if it never does."""
    ends = instant(claims.get("exp"))
    return min(ends + leeway, LATEST) if ends is not None else None


def fault_of_times(claims: Claims, now: float, leeway: float) -> str | None:
    """Why the token is not valid at `now`, by the times that it has; None if it is."""
    times: dict[str, float] = {}
    for name in _TIMES:
        if name in claims:
            if (time := instant(claims[name])) is None:
                return f"the token's {name} is not a time"
            times[name] = time
    if "exp" in times and now >= times["exp"] + leeway:
        return "the token has expired"
    if "nbf" in times and now < times["nbf"] - leeway:
        return "the token is not valid yet"
    if "iat" in times and now < times["iat"] - leeway:
        return "the token was issued in the future"
    return None


def has_audience(claims: Claims, accepted: frozenset[str]) -> bool:
    """Whether the token is meant for one of `accepted`."""
    audience = claims.get("aud")
    if isinstance(audience, str):
        return audience in accepted
    if not isinstance(audience, list):
        return False
    return any(isinstance(each, str) and each in accepted for each in audience)


def is_meant_for(claims: Claims, demands: Demands) -> bool:
    """Whether the token is meant for one of the audiences.

    A token without `aud` (Amazon Cognito's) must be issued to one of the clients instead.
    """
    if "aud" in claims:
        return has_audience(claims, demands.audiences)
    return is_issued_to(claims, demands.clients)


def is_issued_to(claims: Claims, clients: frozenset[str]) -> bool:
    """Whether the token is issued to one of `clients` (RFC 9068 section 2.2)."""
    client = claims.get("client_id")
    return isinstance(client, str) and client in clients


def member(claims: Claims, path: str) -> object:
    """The claim with that name, or at that dotted path; None if there is none.

    A name may contain dots, at any depth (`https://example.com/roles`): the longest name that
    exists is used.
    """
    if path in claims:
        return claims[path]
    head, dot, rest = path.rpartition(".")
    while dot:
        inner = claims.get(head)
        if isinstance(inner, Mapping) and (found := member(inner, rest)) is not None:
            return found
        head, dot, last = head.rpartition(".")
        rest = f"{last}.{rest}"
    return None


def scopes_of(claims: Claims, names: Sequence[str]) -> frozenset[str]:
    """The scopes in the first of the named claims that exists.

    The claim is a text of words or a list of words; anything else holds no scopes.
    """
    value = next((found for name in names if (found := member(claims, name)) is not None), None)
    words = value.split(" ") if isinstance(value, str) else value
    if not isinstance(words, list):
        return frozenset()
    return frozenset(word for word in words if isinstance(word, str) and word)


NO_SUBJECT: Final = "the token names no subject: it has neither `sub` nor `client_id`"


def subject_of(claims: Claims, issuer: str) -> str | None:
    """The subject, in a form that no other issuer or verifier uses; None if there is none.

    `issuer` has no spaces. A token without `sub` belongs to its client, if it names that.
    """
    for member, label in (("sub", "sub"), ("client_id", "client")):
        if member in claims:
            name = claims[member]
            fits = isinstance(name, str) and 0 < len(name) <= _LONGEST_SUBJECT
            return f"{issuer} {label} {name}" if fits and str(name).isprintable() else None
    return None


def principal_of(claims: Claims, issuer: str, demands: Demands) -> Principal | None:
    """The token's subject, and what it may do; None if it names no subject."""
    if (subject := subject_of(claims, issuer)) is None:
        return None
    scopes = scopes_of(claims, demands.scope_claims)
    ends = end_of(claims, demands.leeway)
    return Principal(subject, scopes, ends, chat_user_of(claims, scopes, demands.user))


def chat_user_of(claims: Claims, scopes: frozenset[str], rule: UserRule | None) -> ChatUser | None:
    """The user as whom the token may act in ChatKitty; None: as any user."""
    if rule is None or rule.any_user_scope in scopes:
        return None
    name = member(claims, rule.claim)
    fits = isinstance(name, str) and 0 < len(name) <= _LONGEST_SUBJECT and name.isprintable()
    return ChatUser(str(name) if fits else None)


def is_access_token(claims: Claims) -> bool:
    """Whether nothing shows that it is an ID token, a refresh token or an event."""
    if any(name in claims for name in (*_HASHES_OF_ID_TOKENS, "events")):
        return False
    kinds = [claims[name] for name in ("typ", "token_use") if name in claims]
    return all(isinstance(kind, str) and kind.lower() in _ACCESS for kind in kinds)
