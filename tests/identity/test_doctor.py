"""What `doctor` says about identity providers."""

from typing import Any

import pytest

from gateway.doctor.examination import examine
from gateway.doctor.parts import Part
from gateway.settings import load
from tests.servers.provider import KEY, Provider

pytestmark = pytest.mark.slow

_DISCOVERY = '{"issuer": "https://i.example/", "jwks_uri": "https://i.example/keys"}'
_CERTIFICATES = '{"a1": "-----BEGIN CERTIFICATE-----\\nMIIDHDCCAgSgAwIBAgIICp\\n"}'
_WELL_KNOWN = "/.well-known/openid-configuration"

Examined = tuple[int, dict[str, str]]


async def _examine(environ: dict[str, str], provider: Provider, **changes: str) -> Examined:
    """The exit status, and what was said about each part."""
    own = {f"GATEWAY_{n.upper()}": value for n, value in (provider.settings | changes).items()}
    said: list[str] = []
    status = await examine(load({**environ, **own}), said.append)
    return status, {name: words for name, _, words in (line.partition(": ") for line in said)}


async def test_doctor_reports_no_fault_of_working_providers(
    environ: dict[str, str], provider: Provider, own_redis_url: str
) -> None:
    status, said = await _examine(environ, provider, redis_url=own_redis_url)
    assert (said["jwt"], said["introspection"]) == ("ok", "ok")
    assert status == 0


@pytest.mark.parametrize(
    ("changes", "advised"),
    [
        ({"delivery": "external"}, True),
        ({"delivery": "external", "auth_username_claim": "chat_user"}, False),
        ({"delivery": "external", "auth": "static"}, False),
        ({"delivery": "relay"}, False),
    ],
)
async def test_doctor_advises_against_acting_as_any_user(
    environ: dict[str, str], provider: Provider, changes: dict[str, str], *, advised: bool
) -> None:
    own = {f"GATEWAY_{n.upper()}": value for n, value in (provider.settings | changes).items()}
    said: list[str] = []
    await examine(load({**environ, **own}), said.append)
    assert any("GATEWAY_AUTH_USERNAME_CLAIM" in line for line in said) == advised


async def test_only_verifiers_that_are_used_are_asked(
    environ: dict[str, str], provider: Provider
) -> None:
    _, said = await _examine(environ, provider, auth="jwt")
    assert said["jwt"] == "ok"
    assert "introspection" not in said
    assert await provider.asked("/introspect") == 0


@pytest.mark.parametrize(
    ("path", "fault", "part", "mend"),
    [
        (
            "/jwks",
            {"status": 200, "body": _DISCOVERY},
            "jwt",
            "names one: https://i.example/keys: correct",
        ),
        ("/jwks", {"status": 200, "body": _CERTIFICATES}, "jwt", "certificates: use the URL"),
        ("/jwks", {"status": 404}, "jwt", "GATEWAY_AUTH_JWKS_URL"),
        ("/jwks", {"status": 200, "body": "{}"}, "jwt", "GATEWAY_AUTH_JWKS_URL"),
        ("/jwks", {"status": 200, "body": '{"keys": []}'}, "jwt", "GATEWAY_AUTH_JWKS_URL"),
        ("/introspect", {"status": 401}, "introspection", "CLIENT_SECRET"),
        ("/introspect", {"status": 404}, "introspection", "GATEWAY_AUTH_INTROSPECTION_URL"),
        ("/introspect", {"status": 200, "body": "{}"}, "introspection", "INTROSPECTION_URL"),
        ("/introspect", {"status": 200, "body": '{"active": true}'}, "introspection", "not trust"),
    ],
)
async def test_each_fault_is_reported_with_its_remedy(
    environ: dict[str, str],
    provider: Provider,
    path: str,
    fault: dict[str, Any],
    part: str,
    mend: str,
) -> None:
    await provider.fault(path, fault)
    status, said = await _examine(environ, provider)
    assert status == 1
    assert mend in said[part]


async def test_an_unavailable_provider_is_reported(
    environ: dict[str, str], provider: Provider
) -> None:
    await provider.down()
    status, said = await _examine(environ, provider)
    assert status == 1
    assert "GATEWAY_AUTH_JWKS_URL" in said["jwt"]
    assert "GATEWAY_AUTH_INTROSPECTION_URL" in said["introspection"]


async def test_wrong_credentials_are_reported(environ: dict[str, str], provider: Provider) -> None:
    _, said = await _examine(environ, provider, auth_introspection_client_secret="another-one")
    assert "GATEWAY_AUTH_INTROSPECTION_CLIENT_SECRET" in said["introspection"]
    assert "another-one" not in str(said)


async def _lines(environ: dict[str, str], provider: Provider, **changes: str) -> list[str]:
    own = {f"GATEWAY_{n.upper()}": value for n, value in (provider.settings | changes).items()}
    said: list[str] = []
    await examine(load({**environ, **own}), said.append, only=(Part.JWT, Part.INTROSPECTION))
    return said


async def test_accepted_applications_are_reported(
    environ: dict[str, str], provider: Provider
) -> None:
    rules = {
        "auth_audience": "us,them",
        "auth_clients": "app",
        "auth_scopes": "uploads",
        "auth_username_claim": "a.b",
    }
    said = await _lines(environ, provider, **rules)
    words = (
        "for the audience us or them or without audience for the client app; with the scopes"
        " uploads in scope or scp they act as the user of the claim a.b"
    )
    assert (
        f"let in: tokens of {provider.url}, signed with one of its 1 published keys"
        f" ({KEY} RS256), {words}"
    ) in said
    assert f"let in: tokens that {provider.url}/introspect reports as active, {words}" in said
    assert not any("compare" in line for line in said)


async def test_doctor_compares_the_issuers_name(
    environ: dict[str, str], provider: Provider
) -> None:
    said = await _lines(environ, provider, auth_issuer=f"{provider.url}/")
    (advice,) = (line for line in said if "compare" in line)
    assert f"{provider.url}/ (GATEWAY_AUTH_ISSUER) calls itself {provider.url}" in advice
    for silent in (
        {"status": 404},
        {"status": 200, "body": "<html>"},
        {"status": 200, "body": "{}"},
    ):
        await provider.fault(_WELL_KNOWN, silent)
        said = await _lines(environ, provider, auth_issuer=f"{provider.url}/")
        assert not any("compare" in line for line in said)


async def test_no_token_is_accepted_while_keys_are_unavailable(
    environ: dict[str, str], provider: Provider
) -> None:
    await provider.fault("/jwks", {"status": 404})
    said = await _lines(environ, provider, auth_hs256_secret="x" * 32)
    assert any("let in: no tokens" in line and "answer 404" in line for line in said)
    await provider.heal()
    said = await _lines(environ, provider, auth_hs256_secret="x" * 32)
    assert any("published keys" in line and "shared secret (HS256)" in line for line in said)
    assert any("GATEWAY_AUTH_HS256_SECRET by" in line for line in said)
