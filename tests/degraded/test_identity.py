"""The verifier of tokens down: recently seen tokens keep working, others must retry."""

from typing import Any

from tests.degraded.conftest import IMPORTS, Scene, told_to_return
from tests.flows.client import Client
from tests.servers.sandbox import TOKENS

WHOAMI = "/v1/application"


async def test_an_unknown_token_gets_503_while_its_verifier_is_down(scene: Scene) -> None:
    faults: tuple[dict[str, Any], ...] = (
        {"status": 503},
        {"cut": "before"},
        {"delay": 2.0},
        {"status": 200, "body": "<html>sorry</html>"},
    )
    gateway = scene.start_gateway(auth="upstream", upstream_timeout="1")
    async with scene.alice(gateway) as alice:
        bob = alice.as_another(TOKENS["bob"])
        assert await _is_served(alice)
        for fault in faults:
            await scene.sandbox.fault("GET", WHOAMI, times=1_000, **fault)
            refused = await bob.upload(IMPORTS, b"[]", name="users.json")
            assert told_to_return(refused, "verifier-unavailable")
            assert await _is_served(alice)
            await scene.sandbox.heal()
        assert await _is_served(bob)


async def test_a_cached_token_is_accepted_no_longer_than_configured(scene: Scene) -> None:
    gateway = scene.start_gateway(auth="upstream", auth_cache_seconds="0")
    async with scene.alice(gateway) as alice:
        assert await _is_served(alice)
        await scene.sandbox.fault("GET", WHOAMI, times=1_000, status=503)
        refused = await alice.upload(IMPORTS, b"[]", name="users.json")
        assert told_to_return(refused, "verifier-unavailable")
        await scene.sandbox.heal()
        assert await _is_served(alice)


async def _is_served(client: Client) -> bool:
    return (await client.upload(IMPORTS, b"[]", name="users.json")).status == 202
