"""How much one address may ask about unknown tokens, without other clients noticing."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.unknown_tokens import (
    AT_ONCE,
    IN_VAIN,
    LONGEST_PAUSE,
    PER_SECOND,
    WAITING,
    Question,
    Visitor,
    Visitors,
)
from gateway.errors import TooManyUnknownTokens, VerifierUnavailable


def may_ask(visitor: Visitor, now: float) -> bool:
    try:
        visitor.check(now)
    except (TooManyUnknownTokens, VerifierUnavailable):
        return False
    return True


@given(st.lists(st.floats(0, 30), min_size=1, max_size=20), st.integers(1, 200))
def test_invalid_tokens_of_an_address_stay_within_its_rate(pauses: list[float], tries: int) -> None:
    visitor, now, asked = Visitor(), 1000.0, 0
    for pause in pauses:
        for _ in range(tries):
            if may_ask(visitor, now):
                asked += 1
                visitor.note_in_vain(now)
        now += pause
    assert asked <= IN_VAIN + PER_SECOND * (now - 1000.0)


@given(st.lists(st.floats(0, 10), max_size=30))
def test_a_client_that_waits_as_long_as_it_is_asked_to_may_ask(pauses: list[float]) -> None:
    visitor, now = Visitor(), 1000.0
    for _ in range(IN_VAIN):
        visitor.note_in_vain(now)
    for pause in pauses:
        now += pause
        try:
            visitor.check(now)
        except TooManyUnknownTokens as error:
            now += error.retry_after + 1e-6
            visitor.check(now)
        visitor.note_in_vain(now)


@given(st.floats(0, 1e6))
def test_a_pause_that_the_issuer_demands_is_kept_and_bounded(asked: float) -> None:
    visitor = Visitor()
    visitor.pause(1000.0, asked)
    assert not may_ask(visitor, 1000.5)
    assert may_ask(visitor, 1000.0 + LONGEST_PAUSE)


def test_each_address_counts_for_itself_and_an_ipv6_site_as_one() -> None:
    visitors = Visitors()
    assert visitors.at("192.0.2.1") is visitors.at("192.0.2.1")
    assert visitors.at("192.0.2.1") is not visitors.at("192.0.2.2")
    assert visitors.at("2001:db8::1") is visitors.at("2001:db8::ffff:2")
    assert visitors.at("2001:db8::1") is not visitors.at("2001:db8:0:1::1")
    assert visitors.at("::ffff:192.0.2.1") is not visitors.at("::ffff:192.0.2.2")
    assert visitors.at("fe80::1%eth0") is visitors.at("fe80::1%eth0")
    assert visitors.at("") is visitors.at("")


async def test_questions_in_progress_and_waiting_are_bounded_and_free_their_places() -> None:
    visitor, go = Visitor(), asyncio.Event()
    asking = 0

    async def ask(known: bool) -> None:
        nonlocal asking
        async with Question("token", visitor, known=known).turn():
            asking += 1
            await go.wait()

    for known in (False, True):
        asking = 0
        go.clear()
        tasks = [asyncio.create_task(ask(known)) for _ in range(AT_ONCE + WAITING)]
        while asking < AT_ONCE:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert asking == AT_ONCE
        with pytest.raises(TooManyUnknownTokens):
            await ask(known)
        for task in tasks[-10:]:  # a client that leaves frees its place
            task.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        tasks += [asyncio.create_task(ask(known)) for _ in range(10)]
        go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert asking == AT_ONCE + WAITING


async def test_recently_valid_tokens_are_verified_despite_floods() -> None:
    visitor = Visitors().at("192.0.2.1")
    for _ in range(2 * IN_VAIN):
        stranger = Question("x", visitor, known=False)
        with contextlib.suppress(TooManyUnknownTokens):
            async with stranger.turn():
                stranger.asked = True
        stranger.in_vain()
    with pytest.raises(TooManyUnknownTokens):
        async with Question("x", visitor, known=False).turn():
            pass
    visitor.pause(0.0, 1e9)
    async with Question("good", visitor, known=True).turn():
        pass
