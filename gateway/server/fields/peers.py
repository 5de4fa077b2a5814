"""The client's address behind load balancers: trusts their headers, not those of strangers.

Pure. Sources: RFC 7239 (`Forwarded`), and common practice (`X-Forwarded-For`).
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

from multidict import CIMultiDictProxy

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

ClientOf: TypeAlias = Callable[[object, CIMultiDictProxy[str]], str]
"""The client's address, by the name that a socket has for its peer, and a request's headers."""

_FOR: Final = re.compile(r'(?:^|;)\s*for=("[^"]*"|[^;"\s]*)\s*(?=;|$)', re.IGNORECASE)
_WITH_PORT: Final = re.compile(r"\[([^\]]*)\](?::\w+)?|([^:]*):\w+")


def client_finder(trusted: Sequence[Network]) -> ClientOf:
    """How the client is found behind peers in those networks; without any, it is the peer."""

    def client_of(peername: object, received: CIMultiDictProxy[str]) -> str:
        peer = str(peername[0]) if isinstance(peername, tuple) and peername else ""
        return peer if not trusted else _behind(peer, received, trusted)

    return client_of


def _behind(peer: str, received: CIMultiDictProxy[str], trusted: Sequence[Network]) -> str:
    address = _address(peer)
    if address is None or not _is_in(address, trusted):
        return peer
    told = {
        str(_nearest_stranger(address, hops, trusted))
        for hops in (
            ",".join(received.getall("X-Forwarded-For", ())).split(","),
            [_for(element) for element in ",".join(received.getall("Forwarded", ())).split(",")],
        )
        if any(hop.strip() for hop in hops)
    }
    # Balancers write one of the two. If the other says something else, it came from a stranger.
    return told.pop() if len(told) == 1 else peer


def _nearest_stranger(peer: Address, hops: Sequence[str], trusted: Sequence[Network]) -> Address:
    """The last address that a trusted proxy has written."""
    last = peer
    for hop in reversed(hops):
        if not _is_in(last, trusted) or (found := _address(hop.strip())) is None:
            break
        last = found
    return last


def _for(element: str) -> str:
    """The node of an element of `Forwarded`, empty if it names none."""
    found = _FOR.search(element.strip())
    return found[1].strip('"') if found is not None else ""


def _address(node: str) -> Address | None:
    """The address of a node (RFC 7239 section 6): it may have a port, and IPv6 brackets."""
    if (found := _WITH_PORT.fullmatch(node)) is not None:
        node = found[1] if found[1] is not None else found[2]
    try:
        address = ip_address(node)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
