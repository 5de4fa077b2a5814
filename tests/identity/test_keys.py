"""The identity provider's keys: rotated, withdrawn, unknown, and unreachable."""

import asyncio

import pytest

from tests.identity import forge
from tests.identity.door import Door, eventually, told_to_return
from tests.servers.fixtures import StartGateway
from tests.servers.provider import KEY, Provider


async def test_a_rotation_fails_no_request(trusting: StartGateway, provider: Provider) -> None:
    gateway = trusting(auth="jwt", auth_jwks_refresh="1", auth_cache_seconds="0")
    rotated = asyncio.Event()
    async with Door.of(gateway, provider) as door:

        async def go_on(kid: str) -> list[int]:
            return [await door.knock_anew(kid) for _ in range(5)]

        async def rotate() -> list[int]:
            await provider.generate("rotation-new")
            rotated.set()
            return await go_on("rotation-new")

        answers = await asyncio.gather(go_on(KEY), rotate(), go_on(KEY))
        assert {status for each in answers for status in each} == {200}
        assert rotated.is_set()

        await provider.publish("rotation-new")
        await eventually(door.knock_anew, 401)
        assert await door.knock_anew("rotation-new") == 200


async def test_a_flood_of_unknown_keys_causes_one_fetch(
    trusting: StartGateway, provider: Provider
) -> None:
    gateway = trusting(auth="jwt", auth_jwks_refresh="3600", auth_jwks_cooldown="3600")
    async with Door.of(gateway, provider) as door:
        assert await door.knock_anew() == 200
        await provider.forget()
        for _ in range(2):
            flood = (door.knock_anew(kid=f"no-such-key-{number}") for number in range(40))
            assert set(await asyncio.gather(*flood)) == {401}
            assert await provider.asked("/jwks") == 1
        assert await door.knock_anew() == 200


@pytest.mark.slow
async def test_keys_outlive_an_outage_up_to_a_limit(
    trusting: StartGateway, provider: Provider
) -> None:
    await provider.down()
    gateway = trusting(
        auth="jwt",
        auth_cache_seconds="0",
        auth_jwks_refresh="1",
        auth_jwks_cooldown="1",
        auth_jwks_outage="6",
    )
    async with Door.of(gateway, provider) as door:
        assert told_to_return(await door.knock(await door.new_token()))
        await provider.up()
        await eventually(door.knock_anew, 200)
        await provider.down()
        assert [await door.knock_anew() for _ in range(3)] == [200] * 3
        # The key may be new, which cannot be checked now.
        await eventually(lambda: door.knock_anew(kid="rotated-meanwhile"), 503)
        assert await door.knock_anew() == 200
        await eventually(door.knock_anew, 503)
        assert told_to_return(await door.knock(await door.new_token()))
        await provider.up()
        await eventually(door.knock_anew, 200)


SHARED = "what is shared has 32 bytes or more"


async def test_a_shared_secret_and_published_keys_are_not_confused(
    trusting: StartGateway, provider: Provider
) -> None:
    gateway = trusting(auth="jwt", auth_hs256_secret=SHARED)
    jwk = next(key for key in await provider.keys() if key["kid"] == KEY)  # others may be left
    async with Door.of(gateway, provider) as door:
        token = await door.new_token()
        good = (token, forge.by_secret(token, SHARED.encode()))
        bad = (
            *(forge.by_secret(token, secret) for secret in (forge.pem(jwk), jwk["n"].encode())),
            *(forge.by_secret(token, SHARED[:-1].encode()), forge.by_secret(token, b"")),
            forge.with_header(forge.by_secret(token, SHARED.encode()), alg="RS256"),
            forge.with_header(forge.by_secret(token, SHARED.encode()), alg="HS512"),
            forge.with_header(token, alg="HS256"),
        )
        assert [(await door.knock(each)).status for each in good] == [200, 200]
        assert {(await door.knock(each)).status for each in bad} == {401}
