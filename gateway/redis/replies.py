"""What an error reply of Redis means for its caller. Pure.

Source: the error codes of Redis and Valkey (https://redis.io/docs/latest/develop/reference/protocol-spec/,
`src/server.c` createSharedObjects). A server that says of itself that it is the wrong one has been
demoted, is still loading, or has lost its master; the same address may lead to another by now. So
it costs the connection, and the command, which was not carried out, is sent once more on a new
one. A write that the right server refuses is refused on each connection. What else a server may
say is an error of the command's, or one by which redis-py ends the connection anyway: `NOAUTH`,
`WRONGPASS` and «max number of clients reached».
"""

import re
from typing import Final

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

_WRONG_SERVER: Final = "READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|UNBLOCKED"
_REFUSED: Final = "OOM|MISCONF|NOREPLICAS"

# Of a script, Redis 6 tells the reason behind its own words; of a transaction, every version does.
_CODE: Final = re.compile(
    r"(?:ERR Error running script .*?-|EXECABORT .*? because of: )?"
    rf"(?:(?P<wrong>{_WRONG_SERVER})|(?P<refused>{_REFUSED}))\b"
)


class WrongServer(RedisConnectionError):
    """The server does not do this any more, or not yet; another may have its place."""


class WriteRefused(ResponseError):
    """The server takes no writes for now."""


def told_apart(reply: str) -> WrongServer | WriteRefused | None:
    """The error that a reply stands for (without its leading `-`); None for any other one."""
    found = _CODE.match(reply)
    if found is None:
        return None
    return WrongServer(reply) if found["wrong"] else WriteRefused(reply)
