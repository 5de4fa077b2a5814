import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.plan import Fault, Kind, chosen, plan, rule_of
from gateway.sandbox.faults import Rule

KINDS = st.lists(st.sampled_from(Kind), unique=True, min_size=1)


@given(seed=st.integers(), seconds=st.floats(1, 600), kinds=KINDS)
def test_a_seed_makes_one_plan_within_the_load(
    seed: int, seconds: float, kinds: list[Kind]
) -> None:
    faults = plan(seed, seconds, kinds)
    assert faults == plan(seed, seconds, kinds)
    times = [at for at, _ in faults]
    assert times == sorted(times)
    assert all(0 <= at <= seconds for at in times)
    assert {fault.kind for _, fault in faults} <= set(kinds)


@given(seed=st.integers())
def test_every_kind_happens_once_before_any_happens_again(seed: int) -> None:
    faults = [fault.kind for _, fault in plan(seed, 5.0 * len(Kind))]
    assert sorted(faults) == sorted(Kind)


def test_without_kinds_nothing_is_planned() -> None:
    assert plan(1, 60.0, ()) == []


@given(seed=st.integers())
def test_a_fault_has_the_duration_of_its_kind(seed: int) -> None:
    for _, fault in plan(seed, 5.0 * len(Kind)):
        match fault.kind:
            case Kind.UPSTREAM_LATE:
                assert fault.seconds > 10
            case Kind.UPSTREAM_DELAY:
                assert 0 < fault.seconds < 10
            case kind if kind.action == "stop":
                assert 1 <= fault.seconds <= 8
            case kind if kind.action == "stall":
                assert fault.seconds == 60
            case Kind.STORE_DELAY:
                assert 5 <= fault.seconds <= 35
            case _:
                assert fault.seconds == 0


def test_kinds_are_chosen_by_name_or_action() -> None:
    assert chosen("flushall,kill-s3,flushall") == (Kind.FLUSHALL, Kind.KILL_S3)
    assert {kind.action for kind in chosen("kill, stop")} == {"kill", "stop"}
    assert chosen("none") == ()
    assert chosen("all") == tuple(Kind)
    with pytest.raises(ValueError, match="meteor"):
        chosen("meteor")


@pytest.mark.parametrize("kind", chosen("upstream"))
def test_the_sandbox_understands_every_rule(kind: Kind) -> None:
    rule = Rule.parse(rule_of(Fault(kind, seconds=2.0, times=3)))
    assert [rule.strikes("POST", "/v1/channels/702/messages") for _ in range(4)] == [
        True,
        True,
        True,
        False,
    ]
    assert not rule.strikes("GET", "/v1/channels/702/messages")
