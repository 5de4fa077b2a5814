"""How much strangers of one address may ask, and that nobody else notices."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.crowd import (
    AT_ONCE,
    IN_VAIN,
    LONGEST_PAUSE,
    PER_SECOND,
    WAITING,
    Crowd,
    Question,
    Visitor,
)
from gateway.errors import TooManyUnknownTokens, VerifierUnavailable


def may_ask(visitor: Visitor, now: float) -> bool:
    try:
        visitor.check(now)
    except (TooManyUnknownTokens, VerifierUnavailable):
        return False
    return True


@given(st.lists(st.floats(0, 30), min_size=1, max_size=20), st.integers(1, 200))
def test_an_address_brings_no_more_in_vain_than_its_rate(pauses: list[float], tries: int) -> None:
    visitor, now, asked = Visitor(), 1000.0, 0
    for pause in pauses:
        for _ in range(tries):
            if may_ask(visitor, now):
                asked += 1
                visitor.note_in_vain(now)
        now += pause
    assert asked <= IN_VAIN + PER_SECOND * (now - 1000.0)


@given(st.lists(st.floats(0, 10), max_size=30))
def test_who_comes_when_they_are_told_to_is_let_ask(pauses: list[float]) -> None:
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
def test_a_pause_is_kept_and_bounded(asked: float) -> None:
    visitor = Visitor()
    visitor.pause(1000.0, asked)
    assert not may_ask(visitor, 1000.5)
    assert may_ask(visitor, 1000.0 + LONGEST_PAUSE)


def test_addresses_do_not_count_for_each_other_but_for_those_of_one_ipv6_site() -> None:
    crowd = Crowd()
    assert crowd.visitor("192.0.2.1") is crowd.visitor("192.0.2.1")
    assert crowd.visitor("192.0.2.1") is not crowd.visitor("192.0.2.2")
    assert crowd.visitor("2001:db8::1") is crowd.visitor("2001:db8::ffff:2")
    assert crowd.visitor("2001:db8::1") is not crowd.visitor("2001:db8:0:1::1")
    assert crowd.visitor("::ffff:192.0.2.1") is not crowd.visitor("::ffff:192.0.2.2")
    assert crowd.visitor("fe80::1%eth0") is crowd.visitor("fe80::1%eth0")
    assert crowd.visitor("") is crowd.visitor("")


async def test_few_ask_at_a_time_and_few_wait_and_each_place_is_given_back() -> None:
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
        for task in tasks[-10:]:  # whoever goes away makes room
            task.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        tasks += [asyncio.create_task(ask(known)) for _ in range(10)]
        go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert asking == AT_ONCE + WAITING


async def test_recently_valid_tokens_are_verified_despite_floods() -> None:
    visitor = Crowd().visitor("192.0.2.1")
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
