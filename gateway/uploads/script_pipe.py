"""One Redis script on a connection of its own: a call out, its answer back, nothing between.

Connecting, TLS, authentication and the database are redis-py's. A call through its client costs
three times as much as the one write and the one read that remain here.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Self, cast

import hiredis
from redis.asyncio import Connection, Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

SECONDS: Final = 2.0
"""The longest that a call may take: a frozen Redis must hang nobody."""

Argument = str | bytes | int | float
Done = Callable[[RedisError | None], None]


class ScriptPipe(asyncio.Protocol):
    """Calls one script, one call at a time."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, writer: asyncio.StreamWriter, sha: bytes
    ) -> None:
        self._loop = loop
        self._writer = writer  # its end would close the connection
        self._sha = sha
        self._reader = hiredis.Reader()
        self._transport: asyncio.WriteTransport | None = writer.transport
        self._done: Done | None = None
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    async def open(cls, redis: Redis, script: str) -> Self:
        """Connect as `redis` does, and load the script. Raises RedisError, OSError."""
        connection = cast(Connection, redis.connection_pool.make_connection())  # type: ignore[no-untyped-call]
        await connection.connect()  # type: ignore[no-untyped-call]
        try:
            await connection.send_command("SCRIPT", "LOAD", script)
            sha = await connection.read_response()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        # There is no public way to take over what redis-py has connected.
        writer = cast(asyncio.StreamWriter, connection._writer)  # noqa: SLF001
        connection._writer = None  # noqa: SLF001 - the connection is not its to close any more
        pipe = cls(asyncio.get_running_loop(), writer, sha)
        writer.transport.set_protocol(pipe)
        return pipe

    @property
    def usable(self) -> bool:
        """Whether the next call may go this way."""
        return self._transport is not None and self._done is None

    def call(self, keys: Sequence[str], arguments: Sequence[Argument], done: Done) -> None:
        """Call the script of a usable pipe; `done` is called once, with the error if there is one.

        After an error the pipe is of no more use.
        """
        if self._transport is None:
            raise RuntimeError("the pipe is closed")
        self._done = done
        self._timer = self._loop.call_later(SECONDS, self._time_out)
        command: tuple[Argument, ...] = ("EVALSHA", self._sha, len(keys), *keys, *arguments)
        self._transport.write(hiredis.pack_command(command))  # type: ignore[arg-type] # its stub

    def close(self) -> None:
        """Let the connection go."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """The answer, or some of it."""
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not False:
            if isinstance(answer, hiredis.PushNotification):
                continue  # a word of the server's own, which RESP3 lets it send at any time
            if isinstance(answer, Exception):
                self._end(ResponseError(str(answer)))
            else:
                self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Redis has gone."""
        self._end(RedisConnectionError(str(exc or "Redis closed the connection")))

    def _time_out(self) -> None:
        self._end(RedisTimeoutError("Redis did not answer in time"))

    def _end(self, error: RedisError | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if error is not None:
            self.close()
        done, self._done = self._done, None
        if done is not None:
            done(error)
