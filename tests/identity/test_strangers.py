"""Random tokens: what they cost the issuer, and that clients with good ones do not notice them."""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway.auth.unknown_tokens import AT_ONCE, IN_VAIN, PER_SECOND
from tests.flows.client import Answer, Client
from tests.flows.recorder import Holding, Stumbling, recording
from tests.identity.door import PATH, eventually
from tests.servers.fixtures import StartGateway
from tests.servers.provider import Provider

pytestmark = pytest.mark.slow

INTROSPECT = "/introspect"
MALLORY, CAROL = "203.0.113.66", "203.0.113.7"
"""Addresses, as a balancer reports them."""

BALANCER = "127.0.0.0/8"


@pytest.fixture(params=["fast", "plain"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass(frozen=True)
class Knocker:
    """Knocks at a gateway, from any address."""

    client: Client
    provider: Provider
    serial: "itertools.count[int]"

    async def knock(self, token: str, address: str) -> Answer:
        sent = {"X-Forwarded-For": address}
        return await self.client.as_another(token).upload(PATH, b"x", headers=sent)

    async def good(self) -> str:
        token = f"good-token-{next(self.serial)}-{secrets.token_hex(8)}"
        await self.provider.tell(token, active=True, sub="carol", scope="uploads")
        return token

    async def flood(self, number: int) -> list[Answer]:
        """The answers to random tokens of Mallory's."""
        knocks = (self.knock(secrets.token_hex(16), MALLORY) for _ in range(number))
        return await asyncio.gather(*knocks)


@pytest.fixture
async def knocker(
    trusting: StartGateway, provider: Provider, engine: str
) -> AsyncIterator[Knocker]:
    """At a gateway that asks its provider about each token, every time."""
    gateway = trusting(
        auth="introspection",
        engine=engine,
        auth_cache_seconds="0",
        trusted_proxies=BALANCER,
    )
    async with Client.open(gateway.url, "") as client:
        yield Knocker(client, provider, itertools.count())


async def test_the_issuer_is_spared_a_flood_of_random_tokens_but_asked_about_others(
    knocker: Knocker, provider: Provider
) -> None:
    mallorys = await knocker.good()
    assert (await knocker.knock(mallorys, MALLORY)).status == 200
    await provider.forget()
    started = time.monotonic()
    answers = [answer for _ in range(6) for answer in await knocker.flood(100)]
    asked, seconds = await provider.asked(INTROSPECT), time.monotonic() - started
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {401, 429}
    assert asked == statuses.count(401)
    assert asked <= IN_VAIN + AT_ONCE + PER_SECOND * seconds
    refused = answers[statuses.index(429)]
    assert refused.json()["type"].endswith(":too-many-unknown-tokens")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (await knocker.knock(await knocker.good(), CAROL)).status == 200
    # The gateway still asks about known tokens, whatever else comes from that address.
    assert (await knocker.knock(mallorys, MALLORY)).status == 200


async def test_after_a_429_of_the_issuer_only_that_address_has_to_wait(
    knocker: Knocker, provider: Provider
) -> None:
    known = await knocker.good()
    assert (await knocker.knock(known, MALLORY)).status == 200
    await provider.fault(INTROSPECT, {"status": 429, "headers": {"Retry-After": "60"}})
    await provider.forget()
    answer = await knocker.knock(secrets.token_hex(16), MALLORY)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
    assert {answer.status for answer in await knocker.flood(20)} == {503}
    assert await provider.asked(INTROSPECT) == 1
    await provider.heal()
    assert (await knocker.knock(await knocker.good(), MALLORY)).status == 503
    assert (await knocker.knock(known, MALLORY)).status == 200
    assert (await knocker.knock(await knocker.good(), CAROL)).status == 200


async def test_one_address_has_few_questions_in_progress(
    start_gateway: StartGateway, engine: str
) -> None:
    with recording(recorder=Holding()) as upstream:
        assert isinstance(upstream, Holding)
        gateway = start_gateway(
            auth="upstream",
            engine=engine,
            delivery="relay",
            upstream_url=upstream.url,
            upstream_timeout="60",
            trusted_proxies=BALANCER,
        )
        async with Client.open(gateway.url, "carols-token") as carol:
            strangers = [
                carol.as_another(f"strangers-token-{number}").upload(
                    PATH, b"x", headers={"X-Forwarded-For": MALLORY}
                )
                for number in range(90)
            ]
            flood = asyncio.gather(*strangers)

            async def held() -> int:
                return upstream.held

            await eventually(held, AT_ONCE)
            answer = await carol.upload(PATH, b"x", headers={"X-Forwarded-For": CAROL})
            assert answer.status == 200
            assert upstream.held == AT_ONCE
            assert not flood.done()
            upstream.go_on = True
            assert {each.status for each in await flood} == {401}
            assert upstream.held == len(strangers)


async def test_tokens_that_break_the_issuer_do_not_block_others(
    start_gateway: StartGateway, engine: str
) -> None:
    with recording(recorder=Stumbling()) as upstream:
        gateway = start_gateway(
            auth="upstream", engine=engine, delivery="relay", upstream_url=upstream.url
        )
        async with Client.open(gateway.url, "") as client:
            for number in range(12):
                odd = client.as_another(f"odd-token-{number}")
                assert (await odd.upload(PATH, b"x")).status == 503
                good = client.as_another(f"good-token-{number}")
                if number % 6 == 5:  # with more in a row than open the circuit
                    assert (await good.upload(PATH, b"x")).status == 200
