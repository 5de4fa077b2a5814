"""Which settings gateways and workers must share, and what is reported if they do not."""

import asyncio
from itertools import pairwise

import msgspec
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway import agreement
from gateway.agreement import (
    Announcement,
    Role,
    announce,
    announcement,
    differences,
    running,
)
from gateway.doctor.agreement import compared
from gateway.settings import Settings, load
from gateway.uploads import keys

KEYS = [Fernet.generate_key().decode() for _ in range(4)]


def settings(secret: str = KEYS[0], **changes: str) -> Settings:
    own = {f"GATEWAY_{name.upper()}": value for name, value in changes.items()}
    return load({"GATEWAY_SECRET_KEY": secret, **own})


def told(one: Settings, other: Settings) -> list[str]:
    """What differs; it is the same from either side."""
    ours, theirs = announcement(one, Role.GATEWAY), announcement(other, Role.WORKER)
    found = sorted(differences(ours, theirs))
    assert found == sorted(differences(theirs, ours))
    return found


@given(st.permutations(range(4)))
def test_keys_that_are_rotated_as_documented_raise_no_alarm(order: list[int]) -> None:
    """The new one is read by all, then written by, and then the old one is taken away."""
    steps = [[order[0]]]
    for old, new in pairwise(order):
        steps += [[old, new], [new, old], [new]]
    for one, other in pairwise(steps):
        rings = [settings(",".join(KEYS[each] for each in ring)) for ring in (one, other)]
        assert told(*rings) == []


RINGS = st.lists(st.sampled_from(KEYS), min_size=1, unique=True)


@given(RINGS, RINGS)
def test_processes_that_cannot_read_each_other_are_reported(
    ours: list[str], theirs: list[str]
) -> None:
    reads = ours[0] in theirs and theirs[0] in ours
    expected = [] if reads else ["GATEWAY_SECRET_KEY"]
    assert told(settings(",".join(ours)), settings(",".join(theirs))) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("s3_bucket", "another"),
        ("upstream_url", "https://staging.chatkitty.example"),
        ("upstream_client_id", "another"),
        ("resume_for", "3600"),
        ("broker_url", "redis://127.0.0.1/7"),
        ("broker_url", "amqp://guest:guest@127.0.0.1/elsewhere"),
    ],
)
def test_a_setting_that_must_be_the_same_for_all_is_named(name: str, value: str) -> None:
    more = {"upstream_client_secret": "s"} if name == "upstream_client_id" else {}
    assert told(settings(), settings(**{name: value}, **more)) == [f"GATEWAY_{name.upper()}"]


AMQP, SQS, REDIS = "amqp://a:b@host/%2F", "sqs://", "redis://127.0.0.1"


@pytest.mark.parametrize(
    ("broker", "name", "value"),
    [
        (AMQP, "broker_queue_type", "quorum"),
        (SQS, "sqs_region", "eu-central-1"),
        (SQS, "sqs_queues", "prod-"),
    ],
)
def test_what_only_one_kind_of_broker_knows_is_compared_for_that_kind(
    broker: str, name: str, value: str
) -> None:
    for each in (AMQP, SQS, REDIS):
        both = settings(broker_url=each), settings(broker_url=each, **{name: value})
        assert told(*both) == ([f"GATEWAY_{name.upper()}"] if each == broker else [])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"broker_url": "redis://127.0.0.1"}, {"broker_url": "redis://:secret@localhost:6379/0"}),
        ({"broker_url": "amqp://a:b@host//"}, {"broker_url": "amqps://c:d@10.0.0.1:5671/%2F"}),
        ({"broker_url": "amqp://a:b@host"}, {"broker_url": "pyamqp://a:b@host/%2F"}),
        ({"public_url": "https://a.example"}, {"public_url": "https://b.example"}),
        ({"s3_endpoint_url": "http://10.0.0.1"}, {"s3_endpoint_url": "http://store.internal"}),
    ],
)
def test_one_place_may_have_several_names(one: dict[str, str], other: dict[str, str]) -> None:
    assert told(settings(**one), settings(**other)) == []


def test_an_announcement_reveals_nothing_without_the_key() -> None:
    own = settings(
        s3_bucket="a-certain-bucket",
        broker_url="amqp://user:a-certain-password@a-certain-host/vhost",
        upstream_client_id="a-certain-client",
        upstream_client_secret="a-certain-secret",
    )
    packed = msgspec.json.encode(announcement(own, Role.GATEWAY)).decode()
    assert "a-certain" not in packed
    assert KEYS[0].rstrip("=") not in packed
    again = settings(KEYS[1], s3_bucket="a-certain-bucket")
    ours, theirs = announcement(own, Role.GATEWAY), announcement(again, Role.GATEWAY)
    assert {*ours.keys}.isdisjoint(theirs.keys)
    both = ours.settings.keys() & theirs.settings.keys()
    assert "GATEWAY_S3_BUCKET" in both
    assert all({*ours.settings[name]}.isdisjoint(theirs.settings[name]) for name in both)


async def test_processes_of_containers_that_are_called_the_same_are_two(own_redis_url: str) -> None:
    async with Redis.from_url(own_redis_url) as redis:
        for _ in range(2):
            both = await running(redis, announcement(settings(), Role.WORKER))
        assert len(both) == 2


async def test_those_that_run_see_each_other_until_they_end(own_redis_url: str) -> None:
    async with Redis.from_url(own_redis_url) as redis:
        first = msgspec.structs.replace(announcement(settings(), Role.GATEWAY), name="first/1")
        second = msgspec.structs.replace(announcement(settings(), Role.WORKER), name="second/2")
        announcing = asyncio.create_task(announce(redis, first))
        async with asyncio.timeout(20):
            while await running(redis) != [first]:
                await asyncio.sleep(0.01)
        both = await running(redis, second)
        assert sorted(each.name for each in both) == [first.name, second.name]
        announcing.cancel()
        await asyncio.wait([announcing])
        assert await running(redis) == [second]
        await redis.zadd(keys.ANNOUNCED, {b"of another version": 2**40})
        assert await running(redis) == [second]
        # One that died is forgotten, and so is all that was announced before a clock went back.
        seconds, _ = await redis.time()
        for at in (seconds - agreement._BELIEVED_SECONDS - 1, seconds + 3600):
            await redis.zadd(keys.ANNOUNCED, {msgspec.json.encode(second): at})
            assert await running(redis) == []


def other(role: Role, name: str, secret: str = KEYS[0], **changes: str) -> Announcement:
    return msgspec.structs.replace(announcement(settings(secret, **changes), role), name=name)


OURS = announcement(settings(), Role.GATEWAY)
GATEWAY, WORKER = other(Role.GATEWAY, "a/1"), other(Role.WORKER, "b/2")


def test_doctor_finds_nothing_wrong_if_nothing_runs_or_all_agree() -> None:
    assert compared(OURS, []) == (None, [])
    assert compared(OURS, [GATEWAY, WORKER]) == (None, [])


def test_doctor_names_processes_that_differ_while_others_agree() -> None:
    moved = [other(Role.WORKER, f"w/{n}", s3_bucket="another") for n in range(5)]
    fault, advice = compared(OURS, [GATEWAY, *moved])
    assert fault is not None
    assert fault.startswith("worker w/0, worker w/1, worker w/2 and 2 more runs with another")
    assert "GATEWAY_S3_BUCKET" in fault
    assert advice == []


def test_settings_that_are_new_to_all_that_run_are_no_fault_but_a_key_is() -> None:
    old = [other(role, "a/1", s3_bucket="old") for role in Role]
    fault, (advice,) = compared(OURS, old)
    assert fault is None
    assert "GATEWAY_S3_BUCKET" in advice
    fault, _ = compared(OURS, [other(role, "a/1", KEYS[1]) for role in Role])
    assert fault is not None
    assert "GATEWAY_SECRET_KEY" in fault


@pytest.mark.parametrize("only", [GATEWAY, WORKER])
def test_a_fleet_with_one_half_elsewhere_gets_advice(only: Announcement) -> None:
    fault, (advice,) = compared(OURS, [only])
    assert fault is None
    assert advice.startswith("start a worker" if only is GATEWAY else "start a gateway")
