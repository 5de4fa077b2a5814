"""WebSockets on their way to ChatKitty and back: bytes, as they come.

`frames` knows where a frame ends, `tunnel` carries the bytes, `tunnels` limits and ends them all.
"""

from gateway.delivery.tunnel.tunnel import End, Patience
from gateway.delivery.tunnel.tunnels import Seat, Tunnels

__all__ = ["End", "Patience", "Seat", "Tunnels"]
