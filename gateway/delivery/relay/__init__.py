"""Relays: a request's bytes go to ChatKitty unchanged, and its answer goes to the client.

`exchange` is one upload in progress: a state machine with the phases and moves of `phase`. It sends
through a connection of `upstream`, shows each byte to the `tap`, and has the upload's `record` kept
before the client receives a success. `passage` is any other request in progress: its answer passes
on as it arrives, and no record is kept. `body_clock` notices slow clients; `wire` writes heads.

A `Front` speaks to the client and drives an exchange: `gateway.server.fast` has one, the handler of
uploads the other. No module here knows which one it is.
"""

from gateway.delivery.relay.exchange import Exchange
from gateway.delivery.relay.parties import Front, Passages, Relays
from gateway.delivery.relay.passage import Passage

__all__ = ["Exchange", "Front", "Passage", "Passages", "Relays"]
