"""Which addresses webhooks may be sent to."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.webhooks.addresses import Allowed, is_literal, why_refused

NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "169.254.170.23",
    "FE80::1",
    "fe80:0:0:0:0:0:0:1%25eth0",
    "::ffff:a9fe:a9fe",
    "0:0:0:0:0:ffff:169.254.169.254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::ffff:0:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b::100.100.100.200",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:a9fe:a9:fe00::",
    "64:ff9b:1:a9:fe:a9fe::",
    "64:ff9b:1:0:a9:fea9:fe00::",
    "2001:0:a9fe:a9fe::",
    "2001::5601:5601",
    "2001:db8::5efe:169.254.169.254",
    "2001:db8::200:5efe:169.254.169.254",
    "2002:a9fe:a9fe::1",
]
LOOPBACK = [
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "::1%lo",
    "64:ff9b:1:0:7f:0:100:0",
    "2001:0:7f00:1::f5ff:fffe",
    "2001:db8::5efe:127.0.0.1",
]
FREE = [
    "10.1.2.3",
    "192.168.1.1",
    "8.8.8.8",
    "fd00::1",
    "2606:4700::1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::10.1.2.3",
    "64:ff9b:1:2:3:4:10.1.2.3",
    "64:ff9b:1:7f00:100:1:8.8.8.8",
    "2002:a01:203::1",
    "2001:db8::5efe:10.1.2.3",
]


@pytest.mark.parametrize("address", NEVER)
def test_what_no_receiver_has_is_always_refused(address: str) -> None:
    networks = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    assert why_refused(address, Allowed()) is not None
    assert why_refused(address, Allowed(loopback=True, networks=networks)) is not None


@pytest.mark.parametrize("address", LOOPBACK)
def test_the_loopback_is_for_development(address: str) -> None:
    assert why_refused(address, Allowed()) is not None
    assert why_refused(address, Allowed(loopback=True)) is None


@pytest.mark.parametrize("address", FREE)
def test_private_receivers_are_legitimate(address: str) -> None:
    assert why_refused(address, Allowed()) is None


def test_networks_narrow_what_may_be_reached() -> None:
    allowed = Allowed(loopback=True, networks=(ip_network("10.0.0.0/8"),))
    assert why_refused("10.1.2.3", allowed) is None
    assert why_refused("::ffff:10.1.2.3", allowed) is None
    for address in ("11.1.2.3", "127.0.0.1", "2606:4700::1"):
        assert why_refused(address, allowed) is not None


@pytest.mark.parametrize(
    ("host", "literal"),
    [("10.0.0.1", True), ("[::1]", True), ("::1", True), ("example.com", False), ("127.1", False)],
)
def test_a_host_that_is_an_address_is_recognised(host: str, literal: bool) -> None:
    assert is_literal(host) is literal


@given(st.ip_addresses(v=4))
def test_an_address_in_another_one_is_judged_as_itself(address: IPv4Address) -> None:
    refused = why_refused(str(address), Allowed()) is None
    for place in ("::ffff:0:0", "64:ff9b::", "2001:db8::5efe:0:0"):
        outer = IPv6Address(int(IPv6Address(place)) | int(address))
        assert (why_refused(str(outer), Allowed()) is None) is refused
