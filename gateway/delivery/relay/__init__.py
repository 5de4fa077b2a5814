"""A relay: the bytes go to ChatKitty unchanged, and its answer to the client.

`passage` does the same for a request that is no upload: nothing of it is kept, so nothing is held.

`exchange` is one upload in progress: a state machine with the phases and moves of `phase`. It sends
through a connection of `upstream`, shows each byte to the `tap`, and has the upload's `record` kept
before the client receives a success. `body_clock` notices slow clients; `wire` writes heads.

A `Front` speaks to the client and drives an exchange: `gateway.server.fast` has one, the handler of
uploads the other. Nothing here knows which one it is.
"""

from gateway.delivery.relay.exchange import Exchange
from gateway.delivery.relay.parties import Front, Passages, Relays
from gateway.delivery.relay.passage import Passage

__all__ = ["Exchange", "Front", "Passage", "Passages", "Relays"]
