"""What the claims of a token say, whoever vouches for them. Pure.

Sources: RFC 7519 section 4.1, RFC 7662 section 2.2, RFC 8725 section 3, RFC 9068 section 2.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.auth.principal import ChatUser

Claims = Mapping[str, object]

LATEST: Final = 253_402_300_799.0
"""The last second of the year 9999: what is later is no time that anything can be made of."""

_LONGEST_SUBJECT: Final = 255
_TIMES: Final = ("exp", "nbf", "iat")
_HASHES_OF_ID_TOKENS: Final = ("at_hash", "c_hash", "s_hash")
_ACCESS: Final = frozenset({"access", "at+jwt", "bearer", "jwt"})


def instant(value: object) -> float | None:
    """A NumericDate in epoch seconds, None for anything else: no text, no bool, no infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= LATEST else None


def end_of(claims: Claims, leeway: float) -> float | None:
    """Until when the token is good, in epoch seconds; None where it has no end."""
    ends = instant(claims.get("exp"))
    return min(ends + leeway, LATEST) if ends is not None else None


def fault_of_times(claims: Claims, now: float, leeway: float) -> str | None:
    """What speaks against the token at `now`, by those of its times that there are."""
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


def scopes_of(claims: Claims) -> frozenset[str]:
    """The scopes of `scope`, or of `scp` as some call it; what is no list of words is none."""
    value = claims.get("scope", claims.get("scp"))
    words = value.split(" ") if isinstance(value, str) else value
    if not isinstance(words, list):
        return frozenset()
    return frozenset(word for word in words if isinstance(word, str) and word)


def subject_of(claims: Claims, issuer: str) -> str | None:
    """The subject as no other issuer and no other verifier can have it; None where there is none.

    `issuer` has no spaces. A token without `sub` is its client's own, where it names that one.
    """
    for member, label in (("sub", "sub"), ("client_id", "client")):
        if member in claims:
            name = claims[member]
            fits = isinstance(name, str) and 0 < len(name) <= _LONGEST_SUBJECT
            return f"{issuer} {label} {name}" if fits and str(name).isprintable() else None
    return None


@dataclass(frozen=True, slots=True)
class UserRule:
    """Which claim names the ChatKitty user, and the scope, if any, that frees a token from it."""

    claim: str
    any_user_scope: str | None


def chat_user_of(claims: Claims, rule: UserRule | None) -> ChatUser | None:
    """As whom the token may act in ChatKitty; None: as anybody."""
    if rule is None or rule.any_user_scope in scopes_of(claims):
        return None
    name = claims.get(rule.claim)
    fits = isinstance(name, str) and 0 < len(name) <= _LONGEST_SUBJECT and name.isprintable()
    return ChatUser(str(name) if fits else None)


def is_access_token(claims: Claims) -> bool:
    """Whether nothing tells that it is an ID token, a refresh token or an event."""
    if any(name in claims for name in (*_HASHES_OF_ID_TOKENS, "events")):
        return False
    kinds = [claims[name] for name in ("typ", "token_use") if name in claims]
    return all(isinstance(kind, str) and kind.lower() in _ACCESS for kind in kinds)
