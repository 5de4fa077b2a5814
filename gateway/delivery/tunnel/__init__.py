"""WebSockets on their way to ChatKitty and back: bytes, as they come.

`frames` knows where a frame ends. `tunnel` carries the bytes of one WebSocket, both ways, and ends
it when it is idle or too old. `tunnels` limits how many are open, and ends them all in a drain.
What comes in is the client's connection, after ChatKitty has switched protocols.
"""

from gateway.delivery.tunnel.tunnel import End, Patience
from gateway.delivery.tunnel.tunnels import Seat, Tunnels

__all__ = ["End", "Patience", "Seat", "Tunnels"]
