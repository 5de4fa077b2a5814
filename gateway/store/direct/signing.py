"""Signs requests to S3 in their Authorization header (Signature Version 4). Pure.

Source: Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header".
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from botocore.credentials import ReadOnlyCredentials

UNSIGNED_BODY: Final = "UNSIGNED-PAYLOAD"
"""In place of a body's SHA-256."""

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_HASH: Final = "sha256"
_KEYS: Final = 8
"""Signing keys that are kept: one for each day, secret, region and service."""


class Scope(NamedTuple):
    """What a signature is valid for."""

    service: str
    region: str


class Unsigned(NamedTuple):
    """A request as it will be sent; `target` has path and query.

    `headers` include Host. `body` is the SHA-256 of its body in hexadecimal, or UNSIGNED_BODY.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: str


def sign(
    request: Unsigned, credentials: ReadOnlyCredentials, scope: Scope, at: datetime
) -> dict[str, str]:
    """The request's headers and those of the signature; headers added later are not signed.

    `at` is the signature's time, in UTC.
    """
    time = at.strftime("%Y%m%dT%H%M%SZ")
    headers = {**request.headers, "X-Amz-Date": time, "X-Amz-Content-SHA256": request.body}
    if credentials.token:
        headers["X-Amz-Security-Token"] = credentials.token
    canonical = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in canonical)
    path, _, query = request.target.partition("?")
    lines = (
        request.method,
        path,
        "&".join(sorted(query.split("&"), key=_name_and_value)),
        *map(":".join, canonical),
        "",
        names,
        request.body,
    )
    where = f"{time[:8]}/{scope.region}/{scope.service}/aws4_request"
    digest = sha256("\n".join(lines).encode()).hexdigest()
    signature = _keyed(credentials.secret_key, time[:8], scope).copy()
    signature.update(f"{_ALGORITHM}\n{time}\n{where}\n{digest}".encode())
    headers["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{where}, "
        f"SignedHeaders={names}, Signature={signature.hexdigest()}"
    )
    return headers


def _name_and_value(parameter: str) -> tuple[str, str, str]:
    return parameter.partition("=")


@lru_cache(_KEYS)
def _keyed(secret: str, date: str, scope: Scope) -> hmac.HMAC:
    """An HMAC by the signing key; to be copied."""
    key = f"AWS4{secret}".encode()
    for each in (date, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, each.encode(), _HASH)
    return hmac.new(key, digestmod=_HASH)
