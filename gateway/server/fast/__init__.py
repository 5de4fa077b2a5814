"""The fast engine: requests to ChatKitty move from socket to socket, with nothing in between.

It handles only the simple case: HTTP/1.1, a body of known length, a request that is admitted.
aiohttp handles everything else on the connection, and every refusal, request by request: so there
is one set of answers. `connection` intercepts a request. `uploading` speaks to the client of an
upload, `passing` to that of any other request; `front` has what both share, and `answer` makes the
bytes of answers. The rest is `gateway.delivery.relay`.
"""

from gateway.server.fast.connection import Connection

__all__ = ["Connection"]
