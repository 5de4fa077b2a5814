"""All tunnels of a process: how many there may be, and their end with the process."""

import asyncio
from collections import Counter
from typing import Final

from gateway.delivery.tunnel.tunnel import End, Patience, Side, Tunnel
from gateway.errors import TooManyWebSockets
from gateway.limits.connections import site_of
from gateway.limits.watch import Watch
from gateway.metrics.catalogue import WEBSOCKET_BYTES, WEBSOCKETS, WEBSOCKETS_CLOSED
from gateway.telemetry import get_logger

log = get_logger(__name__)

_RETRY_AFTER: Final = 5.0


class Seat:
    """The place of one WebSocket among all: of its handshake, then of its tunnel."""

    __slots__ = ("_owner", "_site", "kept")

    def __init__(self, owner: "Tunnels", site: str) -> None:
        self._owner = owner
        self._site = site
        self.kept = False
        """Whether a tunnel has it."""

    def leave(self) -> None:
        """Make room for another one."""
        self._owner.left(self._site)


class Tunnels:
    """The open tunnels."""

    def __init__(self, total: int, per_address: int, patience: Patience) -> None:
        """Allow `total` of them, `per_address` for one client (0: no such limit)."""
        self._total = total
        self._each = per_address
        self._patience = patience
        self._seats: Counter[str] = Counter()
        self._open: dict[Tunnel, Seat] = {}
        self._watch = Watch(
            min(patience.idle, patience.lifetime, patience.client, patience.upstream)
        )
        self._ends = False

    def __len__(self) -> int:
        return len(self._open)

    def take(self, address: str) -> Seat:
        """A seat for a client of that address. Raises TooManyWebSockets."""
        site = site_of(address)
        if self._seats.total() >= self._total:
            raise TooManyWebSockets("too many WebSockets are open right now", _RETRY_AFTER)
        if self._each and self._seats[site] >= self._each:
            raise TooManyWebSockets(
                f"this address has {self._each} WebSockets, which is the limit", _RETRY_AFTER
            )
        self._seats[site] += 1
        return Seat(self, site)

    def left(self, site: str) -> None:
        """Count a seat as free again."""
        self._seats[site] -= 1
        if not self._seats[site]:
            del self._seats[site]

    def open(
        self,
        seat: Seat,
        request_id: str,
        client: tuple[asyncio.Transport, bytes],
        upstream: tuple[asyncio.Transport, bytes],
    ) -> None:
        """Carry a WebSocket between two connections, with what has arrived on each already."""
        seat.kept = True
        tunnel = Tunnel(self, self._patience, request_id)
        self._open[tunnel] = seat
        self._watch.add(tunnel)
        WEBSOCKETS.set(to=len(self._open))
        tunnel.join(
            Side(tunnel, client[0], WEBSOCKET_BYTES.of("from-client"), is_client=True),
            Side(tunnel, upstream[0], WEBSOCKET_BYTES.of("to-client"), is_client=False),
            client[1],
            upstream[1],
        )
        if self._ends:
            tunnel.stop(End.DRAIN)

    def end(self) -> None:
        """End all tunnels, and those that are still to be opened."""
        self._ends = True
        for tunnel in list(self._open):
            tunnel.stop(End.DRAIN)

    def cut(self) -> None:
        """Close what is left, even if not all bytes were passed on."""
        for tunnel in list(self._open):
            tunnel.cut()

    def tunnel_ended(self, tunnel: Tunnel) -> None:
        """Forget a tunnel with both sides closed."""
        self._open.pop(tunnel).leave()
        self._watch.discard(tunnel)
        end = (tunnel.end or End.DRAIN).value
        WEBSOCKETS.set(to=len(self._open))
        WEBSOCKETS_CLOSED.add(end)
        log.info(
            "websocket.closed",
            reason=end,
            seconds=round(tunnel.seconds, 3),
            received=tunnel.client.passed,
            sent=tunnel.upstream.passed,
            request_id=tunnel.request_id,
        )
