"""JWT access tokens, verified with the issuer's published keys or with a shared secret.

Sources: RFC 7519, RFC 8725 (best practices), RFC 9068 (access tokens), RFC 7515 section 4.1.11.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError
from jwt.utils import base64url_decode

from gateway.auth import claims
from gateway.auth.jwks import Jwks
from gateway.auth.keys import KeySet
from gateway.auth.principal import Principal, Refused
from gateway.auth.unknown_tokens import Question

_LONGEST_KID: Final = 256
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_KEYS_OF_THE_CLIENTS_CHOICE: Final = ("jwk", "jku", "x5u")

_SHARED: Final = "HS256"
"""The algorithm of the shared secret; no published key is ever used with it."""

_jws = PyJWS(options={"enforce_minimum_key_length": True})


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for tokens; `algorithms` are those of the published keys."""

    issuer: str
    algorithms: frozenset[str]
    demands: claims.Demands
    shared_secret: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says about itself."""

    header: Mapping[str, object]
    claims: claims.Claims


def read(token: str) -> Unverified | None:
    """The token's header and claims, unchecked; None if it is no JWT."""
    segments = token.split(".")
    if len(segments) != 3:
        return None
    try:
        header, said = (json.loads(base64url_decode(segment)) for segment in segments[:2])
    except (ValueError, RecursionError):
        return None
    if not isinstance(header, dict) or not isinstance(said, dict):
        return None
    return Unverified(header, said)


def refuse_header(header: Mapping[str, object], rules: Rules) -> str | None:
    """Why a token is refused before any key is looked for; None if nothing is wrong so far."""
    algorithm = header.get("alg")
    if algorithm == _SHARED:
        accepted = rules.shared_secret is not None
    else:
        accepted = isinstance(algorithm, str) and algorithm in rules.algorithms
    if not accepted:
        return "the token is signed with an algorithm that is not accepted"
    if "crit" in header or "b64" in header:
        return "the token requires an extension that is not supported"
    if any(name in header for name in _KEYS_OF_THE_CLIENTS_CHOICE):
        return "the token contains its own key"
    kid = header.get("kid")
    if kid is not None and (not isinstance(kid, str) or len(kid) > _LONGEST_KID):
        return "the token's `kid` is not usable"
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        return "the token is not an access token"
    return None


def judge(said: claims.Claims, rules: Rules, now: float) -> Principal | Refused:
    """The principal of a token with a valid signature, or why it is refused.

    `now` is in epoch seconds.
    """
    if (fault := claims.fault_of_times(said, now, rules.demands.leeway)) is not None:
        return Refused(fault, final=True)
    if "exp" not in said:
        return Refused("the token has no expiry time", final=True)
    if not claims.is_access_token(said):
        return Refused("the token is not an access token", final=True)
    if not claims.is_meant_for(said, rules.demands):
        return Refused(_not_meant(said, rules.demands), final=True)
    principal = claims.principal_of(said, rules.issuer, rules.demands)
    return principal or Refused(claims.NO_SUBJECT, final=True)


def _not_meant(said: claims.Claims, demands: claims.Demands) -> str:
    if "aud" in said or not demands.clients:
        return "the token is meant for another audience"
    return "the token belongs to another client"


class JwtVerifier:
    """Verifies the tokens of one issuer."""

    def __init__(self, jwks: Jwks | None, rules: Rules) -> None:
        """Use the published keys, if there are any, and the shared secret of the rules."""
        self._jwks = jwks
        self._rules = rules

    async def verify(self, question: Question) -> Principal | Refused:
        """The token's principal. Raises VerifierUnavailable if its key is not available."""
        token = question.token
        if (unverified := read(token)) is None:
            return Refused()
        if unverified.claims.get("iss") != self._rules.issuer:
            return Refused("the token was issued by another issuer")
        if (fault := refuse_header(unverified.header, self._rules)) is not None:
            return Refused(fault, final=True)
        if (signed := await self._signed(token, unverified.header)) is None:
            return Refused("the token's signature matches no key of its issuer", final=True)
        return judge(signed, self._rules, time.time())

    async def _signed(self, token: str, header: Mapping[str, object]) -> claims.Claims | None:
        if header.get("alg") == _SHARED:
            return _claims_under(token, self._rules.shared_secret, _SHARED)
        if self._jwks is None:
            return None
        keys = await self._jwks.current()
        signed = signed_claims(token, header, keys)
        if signed is not None or keys.knows(_kid(header)):
            return signed
        newer = await self._jwks.newer_than(keys)
        return signed_claims(token, header, newer) if newer is not keys else None


def signed_claims(token: str, header: Mapping[str, object], keys: KeySet) -> claims.Claims | None:
    """The claims under the signature, None if it is by none of the keys that it may be by."""
    algorithm = str(header["alg"])
    for key in keys.fitting(_kid(header), algorithm):
        if (signed := _claims_under(token, key, algorithm)) is not None:
            return signed
    return None


def _claims_under(token: str, key: PyJWK | bytes | None, algorithm: str) -> claims.Claims | None:
    """The claims, if their signature is by this key and this algorithm."""
    if key is None:
        return None
    try:
        payload = _jws.decode_complete(token, key, algorithms=[algorithm])["payload"]
        members = json.loads(payload)
    except (PyJWTError, ValueError, TypeError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _kid(header: Mapping[str, object]) -> str | None:
    kid = header.get("kid")
    return kid if isinstance(kid, str) else None
