"""Tokens that no identity provider gives out."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWK


def encoded(value: object) -> str:
    """A segment of a token: JSON unless it is bytes."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(segment: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


def with_header(token: str, **changes: object) -> str:
    """The token with another header, which its signature is not of."""
    header, claims, signature = token.split(".")
    return f"{encoded(decoded(header) | changes)}.{claims}.{signature}"


def with_claims(token: str, **changes: object) -> str:
    """The token with other claims, which its signature is not of."""
    header, claims, signature = token.split(".")
    return f"{header}.{encoded(decoded(claims) | changes)}.{signature}"


def unsigned(token: str, algorithm: str) -> str:
    """The token without a signature, as one that needs none."""
    return with_header(token, alg=algorithm).rpartition(".")[0] + "."


def by_secret(token: str, secret: bytes) -> str:
    """The token under a symmetric signature, with a secret that is none."""
    signing_input = with_header(token, alg="HS256").rpartition(".")[0]
    digest = hmac.digest(secret, signing_input.encode(), hashlib.sha256)
    return f"{signing_input}.{encoded(digest)}"


def pem(jwk: Mapping[str, str]) -> bytes:
    """A public key as whoever confuses it with a secret would have it."""
    key = PyJWK(dict(jwk)).key
    assert isinstance(key, RSAPublicKey)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
