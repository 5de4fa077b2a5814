"""The breaker opens after failures in a row, lets single probes through, and closes at once."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway.stack.valkey import Valkey
from gateway.upstream.breaker import (
    CLOSED,
    LONGEST_ASKED,
    LONGEST_PAUSE,
    PROBE,
    THRESHOLD,
    Circuit,
    SharedBreaker,
    failed,
    permit,
)
from tests.flows.client import PATIENCE

NOW = 1_000.0
TIMES = st.floats(0, 1e9)
ROUNDING = 1e-6
"""Seconds: what is left of a pause is a difference of two times."""

ASKED = st.floats(0, 3600)


def after_failures(count: int, at: float = NOW) -> Circuit:
    circuit = CLOSED
    for _ in range(count):
        circuit, _ = failed(circuit, at, 0.0)
    return circuit


@given(st.integers(0, THRESHOLD - 1), TIMES)
def test_fewer_failures_are_nobodys_fault(count: int, now: float) -> None:
    circuit = after_failures(count, now)
    assert not circuit.tripped
    assert permit(circuit, now) == (circuit, 0.0)


@given(st.integers(THRESHOLD, 200), TIMES)
def test_after_more_failures_only_one_probe_at_a_time_is_sent(count: int, now: float) -> None:
    circuit = after_failures(count, now)
    assert circuit.tripped
    same, wait = permit(circuit, now)
    assert same == circuit
    assert 0 < wait <= LONGEST_PAUSE + ROUNDING
    probing, none = permit(circuit, circuit.open_until)
    assert none == 0.0
    _, wait = permit(probing, circuit.open_until)
    assert 0 < wait <= PROBE + ROUNDING


@given(st.lists(ASKED, min_size=1, max_size=20), TIMES)
def test_the_wait_is_as_requested_and_bounded(asked: list[float], now: float) -> None:
    circuit = CLOSED
    for seconds in asked:
        circuit, _ = failed(circuit, now, seconds)
    _, wait = permit(circuit, now)
    assert wait >= min(max(asked), LONGEST_ASKED) - ROUNDING
    assert wait <= max(LONGEST_ASKED, LONGEST_PAUSE) + ROUNDING


def test_the_pauses_double_up_to_the_longest() -> None:
    waits = [permit(after_failures(THRESHOLD + n), NOW)[1] for n in range(7)]
    assert waits == [1.0, 2.0, 4.0, 8.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey.url) as client:
        yield client


async def test_circuit_breaker_is_shared_by_all_workers(redis: Redis) -> None:
    name = str(uuid4())
    one, other = SharedBreaker(redis, name), SharedBreaker(redis, name)
    outcomes = [await one.failed(LONGEST_PAUSE) for _ in range(THRESHOLD)]
    assert outcomes == [False] * (THRESHOLD - 1) + [True]
    assert 0 < await other.permit() <= LONGEST_PAUSE
    await other.succeeded()
    assert await one.permit() == 0.0


async def test_while_it_works_nothing_is_kept(redis: Redis) -> None:
    name = str(uuid4())
    breaker = SharedBreaker(redis, name)
    assert await breaker.permit() == 0.0
    await breaker.succeeded()
    assert await redis.exists(f"breaker:{name}") == 0


async def test_while_it_works_it_is_asked_now_and_then(redis: Redis) -> None:
    name = str(uuid4())
    one, other = SharedBreaker(redis, name), SharedBreaker(redis, name)
    assert await one.permit() == 0.0
    for _ in range(THRESHOLD):
        await other.failed(0.0)
    await one.succeeded()  # of a request that was begun before
    async with asyncio.timeout(PATIENCE):
        while not await one.permit():
            await asyncio.sleep(0.02)
    await one.succeeded()
    assert await redis.exists(f"breaker:{name}") == 0
    assert await one.permit() == 0.0


async def test_without_redis_each_learns_by_itself() -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        one, other = SharedBreaker(nowhere, "x"), SharedBreaker(nowhere, "x")
        for _ in range(THRESHOLD):
            await one.failed(0.0)
        assert await one.permit() > 0
        assert await other.permit() == 0.0
        await one.succeeded()
        assert await one.permit() == 0.0


@pytest.mark.parametrize("state", [b"", b"\xff", b"\x91" * 5000, b"{}"])
async def test_unreadable_circuit_breaker_state_is_closed(redis: Redis, state: bytes) -> None:
    await redis.set("breaker:kept", state, ex=60)
    breaker = SharedBreaker(redis, "kept")
    assert await breaker.is_open() is False
    await breaker.succeeded()
