"""The fast engine: relayed uploads move from socket to socket, with nothing in between.

It handles only the simple case: HTTP/1.1, a body of known length, an upload that is admitted.
aiohttp handles everything else on the connection, and every refusal, request by request: so there
is one set of answers. `connection` intercepts an upload, `front` speaks to its client, `answer`
makes the answer's bytes; the rest is `gateway.delivery.relay`.
"""

from gateway.server.fast.connection import Connection

__all__ = ["Connection"]
