"""The addresses that a webhook may be sent to. Pure.

Endpoints are the operator's choice, and may be private. Refused is what no receiver has, and what
serves credentials to any process that asks: a name that an operator chose may lead there later.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NEVER: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this host, for most systems
            "169.254.0.0/16",  # link-local, and the metadata of most clouds
            "100.100.100.200/32",  # metadata of Alibaba Cloud
            "168.63.129.16/32",  # the platform of Azure
            "192.0.0.192/32",  # metadata of Oracle Cloud, formerly
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/128",
            "fe80::/10",
            "fec0::/10",
            "fd00:ec2::/32",  # metadata and credentials of AWS
            "fd00:c1::a9fe:a9fe/128",  # metadata of Oracle Cloud
            "fd00:42::42/128",  # metadata of Scaleway
            "fd20:ce::254/128",  # metadata of Google Cloud
            "ff00::/8",
        ),
    )
)
_LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

_IN_LAST_BITS: Final = tuple(
    map(
        ip_network,
        (
            "::/96",  # RFC 4291 section 2.5.5.1
            "::ffff:0:0/96",  # IPv4-mapped
            "::ffff:0:0:0/96",  # RFC 2765
            "64:ff9b::/96",  # NAT64, RFC 6052
        ),
    )
)
_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_6TO4: Final = IPv6Network("2002::/16")
_TEREDO: Final = IPv6Network("2001::/32")  # RFC 4380
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})  # RFC 5214 section 6.1
_32_BITS: Final = (1 << 32) - 1
_8_BITS: Final = (1 << 8) - 1


@dataclass(frozen=True, slots=True)
class Allowed:
    """What operators allow: the loopback, and only these networks, if there are any."""

    loopback: bool = False
    networks: tuple[Network, ...] = ()


def why_refused(text: str, allowed: Allowed) -> str | None:
    """Why nothing may be sent to an address; None if it may."""
    address = ip_address(text.partition("%")[0])
    inner = _embedded(address)
    if any(_is_in(each, _NEVER) for each in inner):
        return f"{text} is link-local, metadata of a cloud, or an address that no receiver can have"
    if not allowed.loopback and any(_is_in(each, _LOOPBACK) for each in inner):
        return f"{text} is the loopback"
    if allowed.networks and not any(_is_in(each, allowed.networks) for each in inner):
        return f"{text} is in none of the networks in GATEWAY_WEBHOOK_NETWORKS"
    return None


def is_literal(host: str) -> bool:
    """Whether the host of a URL is an address."""
    try:
        ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def _embedded(address: Address) -> tuple[Address, ...]:
    """The address, and the IPv4 addresses that packets to it may reach, if it holds any."""
    if isinstance(address, IPv4Address):
        return (address,)
    return (address, *(IPv4Address(bits) for bits in _inner(address)))


def _inner(address: IPv6Address) -> list[int]:
    """The IPv4 addresses that an IPv6 address holds, as numbers."""
    bits = int(address)
    if _is_in(address, _IN_LAST_BITS) and bits > 1:  # ::1 is no IPv4 address
        return [bits & _32_BITS]
    if address in _LOCAL_NAT64:
        return [bits & _32_BITS, *_in_short_prefixes(bits)]
    if address in _6TO4:
        return [bits >> 80 & _32_BITS]
    if address in _TEREDO:  # the server's, and the client's with all bits turned over
        return [bits >> 64 & _32_BITS, ~bits & _32_BITS]
    return [bits & _32_BITS] if bits >> 32 & _32_BITS in _ISATAP else []


def _in_short_prefixes(bits: int) -> list[int]:
    """What an address holds after a prefix of 48, 56 or 64 bits (RFC 6052 section 2.2).

    It jumps over the ninth byte, and all that follows is zero.
    """
    if bits >> 56 & _8_BITS:
        return []
    joined = bits >> 64 << 56 | bits & (1 << 56) - 1  # without the ninth byte
    places = [120 - length - 32 for length in (48, 56, 64)]
    return [joined >> place & _32_BITS for place in places if joined & (1 << place) - 1 == 0]


def _is_in(address: Address, networks: Collection[Network]) -> bool:
    return any(address in network for network in networks)
