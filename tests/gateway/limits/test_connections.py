"""How many connections are accepted, and which of them are closed for new ones."""

from dataclasses import dataclass, field
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.connections import ConnectionLimit


@dataclass(eq=False)
class Connection:
    """Idle since `waits_since`, or with a request."""

    waits_since: float | None
    closed: list[bool] = field(default_factory=list)

    def give_way(self) -> None:
        self.closed.append(True)


def peer(address: str) -> tuple[str, int]:
    return address, 50_000


def test_the_connection_that_has_been_idle_longest_is_closed_for_a_new_one() -> None:
    limit = ConnectionLimit(3, 0, ())
    middle, oldest, busy, new = Connection(2.0), Connection(1.0), Connection(None), Connection(3.0)
    for member in (middle, oldest, busy, new):
        assert limit.enter(member, peer("192.0.2.1"))
    assert [bool(each.closed) for each in (middle, oldest, busy, new)] == [
        False,
        True,
        False,
        False,
    ]
    assert len(limit) == 3
    limit.leave(oldest)  # as it does once its socket is closed
    assert len(limit) == 3


def test_a_new_connection_is_refused_if_all_have_requests() -> None:
    limit = ConnectionLimit(2, 0, ())
    first, second, third = Connection(None), Connection(None), Connection(3.0)
    assert limit.enter(first, peer("192.0.2.1"))
    assert limit.enter(second, peer("192.0.2.1"))
    assert not limit.enter(third, peer("192.0.2.2"))
    limit.leave(third)  # it was never in
    limit.leave(first)
    assert limit.enter(third, peer("192.0.2.2"))


def test_each_address_has_a_limit_unless_it_is_trusted() -> None:
    limit = ConnectionLimit(100, 2, (ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")))
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
            entered[owner] += limit.enter(Connection(None), peer(address))
    assert set(entered.values()) == {2}
    for trusted in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8:1::5"):
        assert all(limit.enter(Connection(None), peer(trusted)) for _ in range(5))
    assert limit.enter(Connection(None), "a unix socket")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.booleans())), st.integers(1, 5))
def test_limits_hold_however_connections_come_and_go(
    events: list[tuple[bool, int, bool]], total: int
) -> None:
    limit, inside = ConnectionLimit(total, 2, ()), list[tuple[Connection, int]]()
    for at, (comes, address, idle) in enumerate(events):
        if comes:
            member = Connection(float(at) if idle else None)
            if limit.enter(member, peer(f"192.0.2.{address}")):
                inside.append((member, address))
        elif inside:
            limit.leave(inside.pop(address % len(inside))[0])
        inside = [each for each in inside if not each[0].closed]
        assert len(limit) == len(inside) <= total
        assert all([owner for _, owner in inside].count(each) <= 2 for each in range(4))
