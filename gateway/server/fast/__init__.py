"""The fast engine: uploads that are relayed move from socket to socket, with nothing between.

It takes what it can do in one way only: HTTP/1.1, a body of known length, an admission that nothing
speaks against. Everything else on the connection, and every refusal, is aiohttp's, request by
request: so there is one set of answers. `connection` takes an upload off, `front` speaks to its
client, `answer` makes the answer's bytes; the rest is `gateway.delivery.relay`.
"""

from gateway.server.fast.connection import Connection

__all__ = ["Connection"]
