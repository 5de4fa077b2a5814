"""Whose request it is: by its peer, and by what trusted peers wrote down."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.server.fields.peers import client_finder

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
FOR = "X-Forwarded-For"


def client(peer: str, *headers: tuple[str, str], trusted: bool = True) -> str:
    find = client_finder(TRUSTED if trusted else [])
    return find((peer, 4711), CIMultiDictProxy(CIMultiDict(headers)))


@pytest.mark.parametrize(
    ("peer", "headers", "found"),
    [
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [(FOR, "198.51.100.7")], "198.51.100.7"),
        ("10.0.0.1", [(FOR, "198.51.100.7, 10.0.0.2")], "198.51.100.7"),
        # What the client wrote itself stands before what the balancer saw.
        ("10.0.0.1", [(FOR, "192.0.2.66, 198.51.100.7")], "198.51.100.7"),
        ("10.0.0.1", [(FOR, "192.0.2.66"), (FOR, "198.51.100.7, 10.0.0.2")], "198.51.100.7"),
        ("10.0.0.1", [(FOR, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
        ("10.0.0.1", [(FOR, "198.51.100.7:1234")], "198.51.100.7"),
        ("10.0.0.1", [(FOR, "[2001:db8::1]:1234")], "2001:db8::1"),
        ("10.0.0.1", [(FOR, "2001:db8::1")], "2001:db8::1"),
        ("10.0.0.1", [(FOR, "nobody, 10.0.0.2")], "10.0.0.2"),
        ("::ffff:10.0.0.1", [(FOR, "198.51.100.7")], "198.51.100.7"),
        ("fd00::1", [(FOR, "198.51.100.7")], "198.51.100.7"),
        ("10.0.0.1", [("Forwarded", "for=198.51.100.7;proto=https")], "198.51.100.7"),
        ("10.0.0.1", [("Forwarded", 'proto=https; For="[2001:db8::1]:47"')], "2001:db8::1"),
        ("10.0.0.1", [("Forwarded", "for=192.0.2.66, for=198.51.100.7")], "198.51.100.7"),
        ("10.0.0.1", [("Forwarded", "for=_hidden")], "10.0.0.1"),
        ("10.0.0.1", [("Forwarded", "for=198.51.100.7"), (FOR, "198.51.100.7")], "198.51.100.7"),
        # The balancer wrote one of them, the client the other.
        ("10.0.0.1", [("Forwarded", "for=192.0.2.66"), (FOR, "198.51.100.7")], "10.0.0.1"),
        ("198.51.100.7", [(FOR, "192.0.2.66"), ("Forwarded", "for=192.0.2.66")], "198.51.100.7"),
    ],
)
def test_a_client_is_found(peer: str, headers: list[tuple[str, str]], found: str) -> None:
    assert client(peer, *headers) == found
    assert client(peer, *headers, trusted=False) == peer


@given(st.lists(st.tuples(st.sampled_from([FOR, "Forwarded"]), st.text(max_size=40)), max_size=4))
def test_strangers_are_not_listened_to(headers: list[tuple[str, str]]) -> None:
    assert client("198.51.100.7", *headers) == "198.51.100.7"


@given(st.text(max_size=60), st.ip_addresses(v=4))
def test_whatever_a_client_wrote_the_balancers_word_counts(forged: str, seen: object) -> None:
    told = f"{forged}, {seen}"
    found = client("10.0.0.1", (FOR, told))
    assert found == str(seen) or str(seen).startswith("10.")


def test_a_socket_without_a_name_has_none() -> None:
    assert client_finder(TRUSTED)(None, CIMultiDictProxy(CIMultiDict())) == ""
