"""The keys of an identity provider, and which of them may verify which signature. Pure.

Sources: RFC 7517 (JWK), RFC 7518 section 3, RFC 8725 sections 3.1 to 3.5.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from gateway.choices import SignatureAlgorithm

_MOST_KEYS: Final = 100
_MOST_TRIED: Final = 8
"""Keys that are tried for a token that names none."""

_RSA_BITS: Final = range(2048, 16_385)

_ALGORITHMS: Final[Mapping[tuple[str, object], str]] = {
    ("EC", "P-256"): "ES256",
    ("EC", "P-384"): "ES384",
    ("EC", "P-521"): "ES512",
    ("OKP", "Ed25519"): "EdDSA",
}
"""The one algorithm of each curve; an RSA key has several."""

_RSA_ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_PUBLIC_MEMBERS: Final = ("kty", "n", "e", "crv", "x", "y")


@dataclass(frozen=True, slots=True)
class Key:
    """A public key with its id, which is only a name, for each algorithm that it allows."""

    kid: str | None
    public: str
    """Its public members, by which two keys are compared."""

    by_algorithm: Mapping[str, PyJWK] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of a provider."""

    keys: tuple[Key, ...]

    def knows(self, kid: str | None) -> bool:
        """Whether a key has this id."""
        return kid is not None and any(key.kid == kid for key in self.keys)

    def adds_to(self, before: "KeySet | None") -> bool:
        """Whether it has a key that `before` did not have."""
        return before is None or not set(self.keys) <= set(before.keys)

    def fitting(self, kid: str | None, algorithm: str) -> tuple[PyJWK, ...]:
        """The keys that may have signed a token; a few of them if the token names none."""
        return tuple(
            key.by_algorithm[algorithm]
            for key in self.keys
            if algorithm in key.by_algorithm and kid in (None, key.kid)
        )[:_MOST_TRIED]


def key_set(document: bytes, allowed: Collection[SignatureAlgorithm]) -> KeySet | None:
    """The usable keys of a JWK Set; None if it is no JWK Set. Broken keys are left out."""
    try:
        members = json.loads(document)
    except (ValueError, RecursionError):
        return None
    listed = members.get("keys") if isinstance(members, dict) else None
    if not isinstance(listed, list):
        return None
    read = (_key(jwk, frozenset(allowed)) for jwk in listed[:_MOST_KEYS])
    return KeySet(tuple(key for key in read if key is not None))


def _key(jwk: object, allowed: frozenset[str]) -> Key | None:
    if not isinstance(jwk, dict) or not _is_for_signatures(jwk):
        return None
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        return None
    public = {name: jwk[name] for name in _PUBLIC_MEMBERS if name in jwk}
    by_algorithm = {
        algorithm: key
        for algorithm in sorted(_algorithms(jwk) & allowed)
        if (key := _public_key(public, algorithm)) is not None
    }
    if not by_algorithm:
        return None
    return Key(kid, json.dumps(public, sort_keys=True), by_algorithm)


def _is_for_signatures(jwk: Mapping[str, object]) -> bool:
    """Whether its owner means it for signatures, and has not published its private half."""
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and "d" not in jwk
    )


def _algorithms(jwk: Mapping[str, object]) -> frozenset[str]:
    """The algorithms of the key's type and curve, narrowed to its `alg` where it has one."""
    kty, curve = jwk.get("kty"), jwk.get("crv")
    if kty == "RSA":
        fitting = _RSA_ALGORITHMS
    elif isinstance(kty, str) and isinstance(curve, str) and (kty, curve) in _ALGORITHMS:
        fitting = frozenset({_ALGORITHMS[kty, curve]})
    else:
        return frozenset()
    declared = jwk.get("alg")
    return fitting if declared is None else fitting & {str(declared)}


def _public_key(public: Mapping[str, object], algorithm: str) -> PyJWK | None:
    try:
        key = PyJWK(dict(public), algorithm)
    except (PyJWTError, ValueError, TypeError, AttributeError):
        return None
    if public["kty"] == "RSA" and key.key.key_size not in _RSA_BITS:
        return None
    return key
