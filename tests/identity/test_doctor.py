"""What `doctor` says of identity providers."""

from typing import Any

import pytest

from gateway.doctor import examine
from gateway.settings import load
from tests.servers.provider import Provider

pytestmark = pytest.mark.slow

Examined = tuple[int, dict[str, str]]


async def _examine(environ: dict[str, str], provider: Provider, **changes: str) -> Examined:
    """The exit status, and what was said of each part."""
    own = {f"GATEWAY_{n.upper()}": value for n, value in (provider.settings | changes).items()}
    said: list[str] = []
    status = await examine(load({**environ, **own}), said.append)
    return status, {name: words for name, _, words in (line.partition(": ") for line in said)}


async def test_providers_that_work_are_fine(environ: dict[str, str], provider: Provider) -> None:
    status, said = await _examine(environ, provider)
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
async def test_acting_for_anybody_is_advised_against(
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
        ("/jwks", {"status": 404}, "jwt", "GATEWAY_AUTH_JWKS_URL"),
        ("/jwks", {"status": 200, "body": "{}"}, "jwt", "GATEWAY_AUTH_JWKS_URL"),
        ("/jwks", {"status": 200, "body": '{"keys": []}'}, "jwt", "GATEWAY_AUTH_JWKS_URL"),
        ("/introspect", {"status": 401}, "introspection", "CLIENT_SECRET"),
        ("/introspect", {"status": 404}, "introspection", "GATEWAY_AUTH_INTROSPECTION_URL"),
        ("/introspect", {"status": 200, "body": "{}"}, "introspection", "INTROSPECTION_URL"),
        ("/introspect", {"status": 200, "body": '{"active": true}'}, "introspection", "not trust"),
    ],
)
async def test_each_fault_is_told_with_what_to_mend(
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


async def test_a_provider_that_is_away_is_told(environ: dict[str, str], provider: Provider) -> None:
    await provider.down()
    status, said = await _examine(environ, provider)
    assert status == 1
    assert "GATEWAY_AUTH_JWKS_URL" in said["jwt"]
    assert "GATEWAY_AUTH_INTROSPECTION_URL" in said["introspection"]


async def test_wrong_credentials_are_told(environ: dict[str, str], provider: Provider) -> None:
    _, said = await _examine(environ, provider, auth_introspection_client_secret="another-one")
    assert "GATEWAY_AUTH_INTROSPECTION_CLIENT_SECRET" in said["introspection"]
    assert "another-one" not in str(said)
