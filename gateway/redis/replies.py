"""What an error reply of Redis means for its caller. Pure.

Source: the error codes of Redis and Valkey (https://redis.io/docs/latest/develop/reference/protocol-spec/,
`src/server.c` createSharedObjects). A server that says that it is the wrong one was demoted, is
still loading, or has lost its master; its address may lead to another server by now. So the
connection is closed, and the command, which was not executed, is sent once more on a new one. A
write that the right server refuses is refused on each connection. All other replies are errors of
the command, or redis-py closes the connection anyway: `NOAUTH`, `WRONGPASS` and "max number of
clients reached".
"""

import re
from typing import Final

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

_WRONG_SERVER: Final = "READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|UNBLOCKED"
_REFUSED: Final = "OOM|MISCONF|NOREPLICAS"

# For a script, Redis 6 puts the reason after its own words; for a transaction, every version does.
_CODE: Final = re.compile(
    r"(?:ERR Error running script .*?-|EXECABORT .*? because of: )?"
    rf"(?:(?P<wrong>{_WRONG_SERVER})|(?P<refused>{_REFUSED}))\b"
)


class WrongServer(RedisConnectionError):
    """The server does not serve any more, or not yet; another may have taken its place."""


class WriteRefused(ResponseError):
    """The server accepts no writes for now."""


def told_apart(reply: str) -> WrongServer | WriteRefused | None:
    """The error for a reply (without its leading `-`); None for any other reply."""
    found = _CODE.match(reply)
    if found is None:
        return None
    return WrongServer(reply) if found["wrong"] else WriteRefused(reply)
