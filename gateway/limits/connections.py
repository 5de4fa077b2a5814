"""Limits on the connections of one process, and of one client's address.

If there are too many, those are closed that have waited longest for a request: a server may close
an idle connection at any time (RFC 9112 section 9.5). So a new client, or a health check, is
refused only if every connection has a request.
"""

import time
from collections import Counter
from collections.abc import Sequence
from heapq import nsmallest
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Protocol, TypeAlias

from gateway.metrics.catalogue import CONNECTIONS, CONNECTIONS_CLOSED
from gateway.telemetry import get_logger

log = get_logger(__name__)

Network: TypeAlias = IPv4Network | IPv6Network

_MAKES_ROOM_FOR: Final = 1 / 16
"""The share of all connections to close at once: finding the right ones means looking at all."""

_SITE: Final = 64
"""Bits of an IPv6 address that its owner cannot choose."""

_SECONDS_BETWEEN_WARNINGS: Final = 10.0


class Member(Protocol):
    """A connection."""

    @property
    def waits_since(self) -> float | None:
        """Since when it has waited for a request; None while it has one."""

    def give_way(self) -> None:
        """Close, to make room for a new connection."""


class ConnectionLimit:
    """The open connections, of which there is a limited number."""

    def __init__(self, total: int, per_address: int, trusted: Sequence[Network]) -> None:
        """Allow `total` connections, `per_address` of them from one address (0: no such limit).

        Addresses in `trusted` networks stand for many clients, and have no limit of their own.
        """
        self._total = total
        self._each = per_address
        self._trusted = trusted
        self._members: dict[Member, str | None] = {}
        self._of: Counter[str] = Counter()
        self._warned = -_SECONDS_BETWEEN_WARNINGS

    def __len__(self) -> int:
        return len(self._members)

    def enter(self, member: Member, peername: object) -> bool:
        """Whether the connection is accepted; `peername` is what its socket calls its peer."""
        owner = self._owner(peername) if self._each else None
        if owner is not None and self._of[owner] >= self._each:
            return self._refuse("address")
        if len(self._members) >= self._total and not self._make_room():
            return self._refuse("full")
        self._members[member] = owner
        if owner is not None:
            self._of[owner] += 1
        CONNECTIONS.set(to=len(self._members))
        return True

    def leave(self, member: Member) -> None:
        """Forget a closed connection, if it was accepted."""
        owner = self._members.pop(member, None)
        if owner is not None:
            self._of[owner] -= 1
            if not self._of[owner]:
                del self._of[owner]
        CONNECTIONS.set(to=len(self._members))

    def _make_room(self) -> bool:
        waiting = [
            (since, at, member)
            for at, member in enumerate(self._members)
            if (since := member.waits_since) is not None
        ]
        for _, _, member in nsmallest(max(1, int(self._total * _MAKES_ROOM_FOR)), waiting):
            self.leave(member)
            member.give_way()
            self._tell("idle")
        return bool(waiting)

    def _refuse(self, why: str) -> bool:
        self._tell(why)
        return False

    def _tell(self, why: str) -> None:
        CONNECTIONS_CLOSED.add(why)
        now = time.monotonic()
        if now - self._warned >= _SECONDS_BETWEEN_WARNINGS:
            self._warned = now
            log.warning("gateway.crowded", reason=why, connections=len(self._members))

    def _owner(self, peername: object) -> str | None:
        """The client's address or IPv6 site; None if it has no limit of its own."""
        if not isinstance(peername, tuple):
            return None
        address = _plain(ip_address(str(peername[0]).partition("%")[0]))
        return None if self._is_trusted(address) else _site(address)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def site_of(address: str) -> str:
    """What stands for a client: its IPv4 address or its IPv6 site; any other text is its own."""
    try:
        return _site(_plain(ip_address(address.partition("%")[0])))
    except ValueError:
        return address


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _site(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _SITE), strict=False))
    return str(address)
