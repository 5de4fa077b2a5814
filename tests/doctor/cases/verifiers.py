"""Broken set-ups of identity providers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tests.doctor.ground import NOWHERE, Break, Case, Changes, Ground, settings
from tests.doctor.wires import website


def keys_are(body: bytes, status: bytes = b"200 OK") -> Break:
    """What the identity provider publishes in the place of its keys."""

    @asynccontextmanager
    async def broken(_: Ground) -> AsyncIterator[Changes]:
        async with website(status, body, b"Content-Type: application/json") as url:
            yield _jwt(url)

    return broken


def _jwt(url: str) -> Changes:
    return {
        "AUTH": "jwt",
        "AUTH_JWKS_URL": url,
        "AUTH_ISSUER": "https://issuer.example",
        "AUTH_AUDIENCE": "uploads",
    }


def introspection_is(body: bytes, status: bytes = b"200 OK") -> Break:
    """What the identity provider says of a token."""

    @asynccontextmanager
    async def broken(_: Ground) -> AsyncIterator[Changes]:
        async with website(status, body, b"Content-Type: application/json") as url:
            yield {"AUTH": "introspection", "AUTH_INTROSPECTION_URL": url}

    return broken


_NO_KEYS: Final = "the identity provider's keys could not be fetched"
VERIFIERS: Final = [
    Case(
        "the identity provider is down",
        "jwt",
        "nothing listens at the address of the identity provider",
        "start it, or correct GATEWAY_AUTH_JWKS_URL",
        settings(**_jwt(f"http://{NOWHERE}")),
    ),
    Case(
        "no keys are published there",
        "jwt",
        f"{_NO_KEYS}: none in the set is usable",
        "have the identity provider publish a key for one of GATEWAY_AUTH_ALGORITHMS, or correct"
        " GATEWAY_AUTH_JWKS_URL",
        keys_are(b'{"keys": []}'),
    ),
    Case(
        "a wrong URL, at which nothing is found",
        "jwt",
        f"{_NO_KEYS}: answer 404",
        "correct GATEWAY_AUTH_JWKS_URL",
        keys_are(b"{}", b"404 Not Found"),
    ),
    Case(
        "a wrong URL, at which something else answers",
        "jwt",
        f"{_NO_KEYS}: the answer is not a key set",
        "correct GATEWAY_AUTH_JWKS_URL",
        keys_are(b"<html>"),
    ),
    Case(
        "the identity provider is down",
        "introspection",
        "nothing listens at the address of the identity provider",
        "start it, or correct GATEWAY_AUTH_INTROSPECTION_URL",
        settings(AUTH="introspection", AUTH_INTROSPECTION_URL=f"http://{NOWHERE}"),
    ),
    Case(
        "wrong credentials",
        "introspection",
        "answer 401",
        "correct GATEWAY_AUTH_INTROSPECTION_CLIENT_ID and GATEWAY_AUTH_INTROSPECTION_CLIENT_SECRET",
        introspection_is(b"{}", b"401 Unauthorized"),
    ),
    Case(
        "a wrong URL",
        "introspection",
        "answer 200 does not say whether a token is active",
        "correct GATEWAY_AUTH_INTROSPECTION_URL",
        introspection_is(b"<html>"),
    ),
    Case(
        "it accepts any token",
        "introspection",
        "an invented token was reported as active",
        "do not trust GATEWAY_AUTH_INTROSPECTION_URL",
        introspection_is(b'{"active": true}'),
    ),
]
