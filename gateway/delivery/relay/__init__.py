"""A relay: the bytes go to ChatKitty as they came, and its answer to the client.

`exchange` is one upload on its way: a state machine, whose phases and moves are in `phase`. It
sends by a connection of `upstream`, shows each byte to the `tap`, and has the upload's `record`
kept before the client hears of a success. `body_clock` tells who is too slow; `wire` writes heads.

Who speaks to the client is a `Front`, and drives an exchange: `gateway.server.fast` is one, the
handler of uploads the other. Nothing here knows which one it is.
"""

from gateway.delivery.relay.exchange import Exchange
from gateway.delivery.relay.parties import Front, Relays

__all__ = ["Exchange", "Front", "Relays"]
