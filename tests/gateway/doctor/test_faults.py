"""What is a fault and what is not, by the servers' own reports. Pure."""

import pytest

from gateway.doctor.host import MOST_OFF, advice_on_confinement, fault_of_clock
from gateway.doctor.redis import advice_on_redis, fault_of_redis


@pytest.mark.parametrize(
    "version", ["6.2.0", "6.10.1", "7.0.0", "7.2.4", "10.0.0", "255.255.255", ""]
)
def test_a_redis_that_is_new_enough_and_keeps_what_it_is_given_has_no_fault(version: str) -> None:
    assert fault_of_redis({"redis_version": version, "maxmemory_policy": "noeviction"}) is None
    assert fault_of_redis({"redis_version": version}) is None


@pytest.mark.parametrize("version", ["2.8.24", "5.0.14", "6.0.16", "6.1.0"])
def test_an_old_redis_is_a_fault(version: str) -> None:
    fault = fault_of_redis({"redis_version": version})
    assert fault is not None
    assert version in fault


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_redis_that_evicts_keys_is_a_fault(policy: str) -> None:
    fault = fault_of_redis({"redis_version": "7.2.4", "maxmemory_policy": policy})
    assert fault is not None
    assert policy in fault


@pytest.mark.parametrize(
    ("told", "word"), [({"redis_mode": "cluster"}, "cluster"), ({"role": "slave"}, "replica")]
)
def test_a_redis_that_is_not_the_one_to_write_to_is_a_fault(
    told: dict[str, str], word: str
) -> None:
    fault = fault_of_redis({"redis_version": "7.2.4", **told})
    assert fault is not None
    assert word in fault


def test_redis_without_persistence_gets_advice() -> None:
    (advice,) = advice_on_redis({"aof_enabled": 0}, "")
    assert "appendonly yes" in advice
    assert not advice_on_redis({"aof_enabled": 1}, "")
    assert not advice_on_redis({"aof_enabled": 0}, "3600 1 300 100")
    assert not advice_on_redis({"aof_enabled": 0}, None)
    assert not advice_on_redis({}, None)


def test_clocks_may_differ_a_little() -> None:
    assert fault_of_clock([]) is None
    assert fault_of_clock([("store", MOST_OFF), ("upstream", -MOST_OFF)]) is None


@pytest.mark.parametrize(("off", "word"), [(MOST_OFF + 1, "ahead of"), (-MOST_OFF - 1, "behind")])
def test_a_clock_that_is_off_is_a_fault_whichever_way(off: float, word: str) -> None:
    fault = fault_of_clock([("store", 0.0), ("upstream", off)])
    assert fault is not None
    assert f"31 s {word} that of the upstream" in fault


def test_libmagic_without_seccomp_is_spoken_of() -> None:
    assert not advice_on_confinement("limits and seccomp")
    (advice,) = advice_on_confinement("limits")
    assert "seccomp" in advice
