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
    """The token with another header than the signed one."""
    header, claims, signature = token.split(".")
    return f"{encoded(decoded(header) | changes)}.{claims}.{signature}"


def with_claims(token: str, **changes: object) -> str:
    """The token with other claims than the signed ones."""
    header, claims, signature = token.split(".")
    return f"{header}.{encoded(decoded(claims) | changes)}.{signature}"


def unsigned(token: str, algorithm: str) -> str:
    """The token without a signature, and with a header that needs none."""
    return with_header(token, alg=algorithm).rpartition(".")[0] + "."


def by_secret(token: str, secret: bytes) -> str:
    """The token with a symmetric signature, by a secret that is public."""
    signing_input = with_header(token, alg="HS256").rpartition(".")[0]
    digest = hmac.digest(secret, signing_input.encode(), hashlib.sha256)
    return f"{signing_input}.{encoded(digest)}"


def pem(jwk: Mapping[str, str]) -> bytes:
    """A public key in the form of a secret, for verifiers that confuse the two."""
    key = PyJWK(dict(jwk)).key
    assert isinstance(key, RSAPublicKey)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
