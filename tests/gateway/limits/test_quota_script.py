"""The script in Redis decides as the pure rules do, whatever is asked, and in whatever order."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from gateway.limits.quota import Accounts, Demand, Policy, Usage
from gateway.limits.quota_script import RULES
from gateway.limits.shared_quota import LEASE_SECONDS, standing_of
from gateway.limits.window import slice_length
from gateway.uploads import keys
from tests.examples import examples

SCRIPT = "local now = tonumber(KEYS[4])\n" + RULES
"""The same rules at a time of ours."""

SECONDS = 2
START = 1_800_000_000_000

demands = st.builds(Demand, st.none() | st.integers(0, 60))
asks = st.tuples(st.just("ask"), demands)
ends = st.tuples(st.just("end"), st.integers(0, 100))
steps = st.lists(st.tuples(st.integers(0, 1500), asks | ends), max_size=25)


@pytest.fixture(scope="module")
def redis(module_redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(module_redis_url) as client:
        yield client


@dataclass
class Both:
    """A subject at Redis and at the pure rules, which must agree at every step."""

    redis: Redis
    policy: Policy
    now: int = START
    open: list[tuple[Demand, Usage]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.redis.flushdb()
        self.local = Accounts(self.policy)

    def call(self, *arguments: str | int) -> object:
        names = (*keys.quota("s"), self.now)
        act, *rest = arguments
        length = slice_length(self.policy.window)
        return self.redis.eval(SCRIPT, len(names), *names, act, length, *rest)

    def ask(self, demand: Demand) -> Usage:
        limits = (self.policy.requests, self.policy.bytes, self.policy.uploads)
        lease = LEASE_SECONDS * 1000
        wanted = (demand.need, demand.declared, demand.upload_id or "", lease)
        found = standing_of(self.call("ask", *limits, *wanted), self.policy, demand)
        assert found == self.local.ask("s", demand, found_before(found, demand), self.now)
        if found.admitted:
            self.open.append((demand, found))
        return found

    def end(self, received: int) -> None:
        if self.open:
            demand, standing = self.open.pop(0)
            difference = received - demand.declared
            self.call("end", standing.slice, difference, demand.upload_id or "")
            if difference:
                self.local.correct("s", difference, standing.slice, self.now)


def found_before(standing: Usage, demand: Demand) -> int:
    """The uploads under way before this one, as Redis knew them."""
    counted = standing.admitted and demand.upload_id is not None
    return standing.uploads.used - 1 if counted else standing.uploads.used


@examples(60)
@given(steps, st.integers(0, 4), st.integers(0, 100))
def test_redis_agrees_with_the_rules(
    redis: Redis, asked: list[tuple[int, tuple[str, object]]], requests: int, size: int
) -> None:
    both = Both(redis, Policy(requests=requests, bytes=size, window=SECONDS))
    for pause, (act, what) in asked:
        both.now += pause
        if isinstance(what, Demand):
            if not size or what.need <= size:  # the others never come so far
                both.ask(what)
        elif isinstance(what, int):
            assert act == "end"
            both.end(what)


def test_the_place_of_an_upload_is_freed_unless_it_is_renewed(redis: Redis) -> None:
    both = Both(redis, Policy(uploads=2))
    for name in ("one", "two"):
        assert both.ask(Demand(1, name)).admitted
    assert not both.ask(Demand(1, "three")).admitted
    assert both.ask(Demand(1)).admitted  # no upload: it needs no place
    both.now += LEASE_SECONDS * 1000 - 1
    both.call("hold", LEASE_SECONDS * 1000, "one")
    assert not both.ask(Demand(1, "three")).admitted
    both.now += 1
    assert both.ask(Demand(1, "three")).admitted
    assert not both.ask(Demand(1, "four")).admitted
    both.call("end", 0, 0, "one")
    assert both.ask(Demand(1, "four")).admitted


def test_nothing_that_was_never_counted_is_given_back(redis: Redis) -> None:
    both = Both(redis, Policy(bytes=100, window=SECONDS))
    both.ask(Demand(80))
    redis.flushdb()
    both.call("end", both.open[0][1].slice, -80, "")
    assert redis.keys("*") == []
    both.local = Accounts(both.policy)
    assert both.ask(Demand(100)).admitted
    assert not both.ask(Demand(1)).admitted
