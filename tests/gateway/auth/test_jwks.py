"""What an identity provider can answer in place of its keys."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from gateway.auth.jwks import Jwks, KeySource
from gateway.choices import SignatureAlgorithm
from gateway.errors import VerifierUnavailable
from gateway.upstream.transport import LARGEST_ANSWER, Transport
from tests.gateway.upstream.scripted import CUT, Reply, ScriptedServer, answer, silence

SECONDS = 2.0


def published(kid: str) -> dict[str, object]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return {**RSAAlgorithm.to_jwk(key, as_dict=True), "kid": kid}


ONE, TWO = published("one"), published("two")


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer.start() as scripted:
        yield scripted


def source(server: ScriptedServer, cooldown: float = 0.0) -> KeySource:
    return KeySource(f"{server.url}/jwks", [SignatureAlgorithm.RS256], 3600, cooldown, 3600)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(CUT, id="cut"),
        pytest.param(silence(asyncio.Event()), id="silent"),
        pytest.param(answer(500, {"keys": [ONE]}), id="failed"),
        pytest.param(answer(302, headers={"Location": "http://127.0.0.1:1/"}), id="redirected"),
        pytest.param(answer(200, b"<html>"), id="not JSON"),
        pytest.param(answer(200, b"[" * 100_000), id="nested"),
        pytest.param(answer(200, [ONE]), id="a list"),
        pytest.param(answer(200, {"keys": {}}), id="no list of keys"),
        pytest.param(answer(200, {"keys": []}), id="no keys"),
        pytest.param(answer(200, {"keys": [{**TWO, "use": "enc"}]}), id="none for signatures"),
        pytest.param(answer(200, {"keys": [{**TWO, "d": "AQ"}]}), id="a private key"),
        pytest.param(answer(200, b" " * (LARGEST_ANSWER + 1)), id="endless"),
    ],
)
async def test_what_is_no_key_set_changes_nothing(server: ScriptedServer, reply: Reply) -> None:
    server.replies(answer(200, {"keys": [ONE]}), reply)
    async with Transport.open(SECONDS) as transport:
        jwks = Jwks(transport, source(server))
        keys = await jwks.current()
        with pytest.raises(VerifierUnavailable):
            await jwks.newer_than(keys)
        assert await jwks.current() is keys
    assert len(server.requests) > 1


async def test_a_broken_key_is_left_out_and_the_others_are_used(server: ScriptedServer) -> None:
    broken = [7, {}, {**ONE, "kid": 1}, {**ONE, "n": "!"}, {**ONE, "n": "AQAB"}, {"kty": "oct"}]
    server.replies(answer(200, {"keys": [*broken, TWO]}))
    async with Transport.open(SECONDS) as transport:
        keys = await Jwks(transport, source(server)).current()
    assert [key.kid for key in keys.keys] == ["two"]


async def test_concurrent_waits_for_keys_share_one_fetch(server: ScriptedServer) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def late(_: object) -> bytes:
        asked.set()
        await answered.wait()
        return answer(200, {"keys": [ONE]})

    server.replies(late)
    async with Transport.open(10) as transport:
        jwks = Jwks(transport, source(server, cooldown=3600))
        first, *others = [asyncio.create_task(jwks.current()) for _ in range(20)]
        await asked.wait()
        first.cancel()  # whoever goes away leaves the others their keys
        answered.set()
        found = await asyncio.gather(*others)
    assert [key.kid for keys in found for key in keys.keys] == ["one"] * 19
    assert len(server.requests) == 1


async def test_keys_that_were_requested_before_the_demand_are_not_the_last_word(
    server: ScriptedServer,
) -> None:
    """Their answer may be older than the key of the token that demands them."""
    asked, answered = asyncio.Event(), asyncio.Event()

    async def early(_: object) -> bytes:
        asked.set()
        await answered.wait()
        return answer(200, {"keys": [ONE]})

    server.replies(answer(200, {"keys": [ONE]}), early, answer(200, {"keys": [ONE, TWO]}))
    async with Transport.open(10) as transport:
        jwks = Jwks(transport, source(server))
        keys = await jwks.current()
        regular = asyncio.create_task(jwks.keep_fresh())
        await asked.wait()
        demanding = [asyncio.create_task(jwks.newer_than(keys)) for _ in range(20)]
        await asyncio.sleep(0)
        answered.set()
        found = await asyncio.gather(*demanding)
        regular.cancel()
    assert {key.kid for keys in found for key in keys.keys} == {"one", "two"}
    assert all(len(keys.keys) == 2 for keys in found)
    assert len(server.requests) == 3


async def test_without_keys_the_provider_is_asked_no_more_often_than_it_may(
    server: ScriptedServer,
) -> None:
    server.replies(answer(503, {}))
    async with Transport.open(SECONDS) as transport:
        jwks = Jwks(transport, source(server, cooldown=3600))
        for _ in range(5):
            with pytest.raises(VerifierUnavailable) as refused:
                await jwks.current()
    assert refused.value.retry_after > 1
    assert len(server.requests) == 1
