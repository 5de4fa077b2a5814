"""The fast engine: requests to ChatKitty move from socket to socket, with nothing in between.

It handles only the simple case: HTTP/1.1, a body of known length, a request that is admitted.
aiohttp handles every other request on the same connection, and every refusal, so that there is one
set of answers.

`connection` intercepts a request. `uploading` speaks to the client of an upload, `passing` to that
of any other request; `front` has what both share, and `answer` makes the bytes of answers.
`gateway.delivery.relay` does the rest.
"""

from gateway.server.fast.connection import Connection

__all__ = ["Connection"]
