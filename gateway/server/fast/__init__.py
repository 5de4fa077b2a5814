"""The fast engine: uploads that are relayed move from socket to socket, with nothing between.

It takes what it can do in one way only: HTTP/1.1, a body of known length, an admission that nothing
speaks against. Everything else on the connection, and every refusal, is the plain engine's, request
by request: so there is one set of answers.
"""

from gateway.server.fast.connection import Connection

__all__ = ["Connection"]
