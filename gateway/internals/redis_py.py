"""The private names of redis-py that are used."""

import asyncio

from redis._parsers import _AsyncHiredisParser as AsyncHiredisParser
from redis._parsers import _HiredisParser as HiredisParser
from redis.asyncio import Connection

__all__ = ["AsyncHiredisParser", "HiredisParser", "take_writer"]


def take_writer(connection: Connection) -> asyncio.StreamWriter | None:
    """Take over what redis-py has connected: the connection is not its to close any more."""
    writer = connection._writer
    connection._writer = None
    return writer
