"""How many connections there may be, and which of them go."""

from dataclasses import dataclass, field
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.crowd import Crowd


@dataclass(eq=False)
class Connection:
    """A member: idle since then, or at work."""

    waits_since: float | None
    closed: list[bool] = field(default_factory=list)

    def give_way(self) -> None:
        self.closed.append(True)


def peer(address: str) -> tuple[str, int]:
    return address, 50_000


def test_for_more_than_there_may_be_the_one_goes_that_waits_longest() -> None:
    crowd = Crowd(3, 0, ())
    middle, oldest, busy, new = Connection(2.0), Connection(1.0), Connection(None), Connection(3.0)
    for member in (middle, oldest, busy, new):
        assert crowd.enter(member, peer("192.0.2.1"))
    assert [bool(each.closed) for each in (middle, oldest, busy, new)] == [
        False,
        True,
        False,
        False,
    ]
    assert len(crowd) == 3
    crowd.leave(oldest)  # as it does once its socket is closed
    assert len(crowd) == 3


def test_if_all_are_at_work_nobody_else_gets_in() -> None:
    crowd = Crowd(2, 0, ())
    first, second, third = Connection(None), Connection(None), Connection(3.0)
    assert crowd.enter(first, peer("192.0.2.1"))
    assert crowd.enter(second, peer("192.0.2.1"))
    assert not crowd.enter(third, peer("192.0.2.2"))
    crowd.leave(third)  # it was never in
    crowd.leave(first)
    assert crowd.enter(third, peer("192.0.2.2"))


def test_one_address_has_a_limit_unless_it_is_trusted_to_stand_for_many() -> None:
    crowd = Crowd(100, 2, (ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")))
    owners = {
        "192.0.2.1": "192.0.2.1",
        "::ffff:192.0.2.1": "192.0.2.1",
        "2001:db8::1": "2001:db8::",
        "2001:db8::ffff:0:0:1": "2001:db8::",
        "fe80::1%eth0": "fe80::",
    }
    entered = dict.fromkeys(owners.values(), 0)
    for _ in range(3):
        for address, owner in owners.items():
            entered[owner] += crowd.enter(Connection(None), peer(address))
    assert set(entered.values()) == {2}
    for trusted in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8:1::5"):
        assert all(crowd.enter(Connection(None), peer(trusted)) for _ in range(5))
    assert crowd.enter(Connection(None), "a unix socket")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.booleans())), st.integers(1, 5))
def test_the_limits_hold_whatever_comes_and_goes(
    events: list[tuple[bool, int, bool]], total: int
) -> None:
    crowd, inside = Crowd(total, 2, ()), list[tuple[Connection, int]]()
    for at, (comes, address, idle) in enumerate(events):
        if comes:
            member = Connection(float(at) if idle else None)
            if crowd.enter(member, peer(f"192.0.2.{address}")):
                inside.append((member, address))
        elif inside:
            crowd.leave(inside.pop(address % len(inside))[0])
        inside = [each for each in inside if not each[0].closed]
        assert len(crowd) == len(inside) <= total
        assert all([owner for _, owner in inside].count(each) <= 2 for each in range(4))
