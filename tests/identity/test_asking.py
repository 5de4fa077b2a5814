"""Tokens that only their issuer can read: it is asked rarely, but about each one."""

import asyncio

import pytest

from tests.flows.raw import FORM_TYPE, abandon, head
from tests.flows.recorder import Recorder
from tests.identity.door import PATH, Door, eventually, told_to_return
from tests.servers.fixtures import StartGateway
from tests.servers.provider import Provider

INTROSPECT = "/introspect"
ACTIVE = {"active": True, "sub": "erin"}


async def test_requests_that_wait_for_one_token_share_one_question(
    trusting: StartGateway, provider: Provider
) -> None:
    gateway = trusting()
    token = "erins-token-1"
    await provider.tell(token, **ACTIVE)
    async with Door.of(gateway, provider) as door:
        await provider.fault(INTROSPECT, "hold")
        # The first client leaves; the others get their answer nevertheless.
        await abandon(gateway.url, [head(PATH, f"Authorization: Bearer {token}", FORM_TYPE,
                                         "Content-Length: 100")])  # fmt: skip
        storm = asyncio.gather(*(door.knock(token) for _ in range(30)))
        await asyncio.sleep(0.3)  # all of them have arrived by then
        assert not storm.done()
        await provider.heal()
        assert {answer.status for answer in await storm} == {200}
        assert await provider.asked(INTROSPECT) == 1


async def test_a_refusal_is_cached_for_a_short_time(
    trusting: StartGateway, provider: Provider
) -> None:
    gateway = trusting(auth_cache_seconds="1")
    token = "erins-token-2"
    async with Door.of(gateway, provider) as door:
        answers = await asyncio.gather(*(door.knock(token) for _ in range(20)))
        assert {answer.status for answer in answers} == {401}
        assert await provider.asked(INTROSPECT) < 3
        await provider.tell(token, **ACTIVE)
        await eventually(lambda: _status(door, token), 200)
        # And so is an acceptance.
        await provider.tell(token, active=False)
        await eventually(lambda: _status(door, token), 401)


@pytest.mark.parametrize("engine", ["fast", "plain"])
async def test_unknown_tokens_are_refused_while_no_verifier_answers(
    trusting: StartGateway, provider: Provider, upstream: Recorder, engine: str
) -> None:
    gateway = trusting(engine=engine)
    known, other = "erins-token-3", "erins-token-4"
    await provider.tell(known, **ACTIVE)
    await provider.tell(other, **ACTIVE)
    async with Door.of(gateway, provider) as door:
        assert await _status(door, known) == 200
        for fault in (
            {"status": 500},
            {"status": 401},
            {"status": 200, "body": "<html>"},
            {"status": 200, "body": '["active", true]'},
            {"status": 302, "headers": {"Location": f"{provider.url}/introspect?"}},
            {"status": 429},
        ):
            await provider.fault(INTROSPECT, fault)
            upstream.take()
            assert told_to_return(await door.knock(other)), fault
            assert upstream.take() == []
        await provider.down()
        assert told_to_return(await door.knock(other))
        assert await _status(door, known) == 200
        # Tokens that can be judged without the issuer are judged.
        assert await door.knock_anew() == 200
        await provider.heal()
        await provider.up()
        await eventually(lambda: _status(door, other), 200)


async def test_unresponsive_issuer_is_not_asked_again(
    trusting: StartGateway, provider: Provider
) -> None:
    gateway = trusting()
    async with Door.of(gateway, provider) as door:
        await provider.fault(INTROSPECT, {"status": 500})
        for number in range(50):
            assert told_to_return(await door.knock(f"unknown-token-{number}"))
        assert await provider.asked(INTROSPECT) < 25


async def _status(door: Door, token: str) -> int:
    return (await door.knock(token)).status
