"""One Redis script on a separate connection: a call costs one write and one read.

redis-py connects, with TLS, authentication and database. A call through its client would cost three
times as much.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Self, cast

import hiredis
from redis.asyncio import Connection, Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.internals.redis_py import take_writer
from gateway.redis.client import prefix_of
from gateway.redis.replies import WriteRefused, told_apart
from gateway.telemetry import get_logger

log = get_logger(__name__)

SECONDS: Final = 2.0
"""The longest that a call, or connecting, may take: a frozen Redis must not block callers."""

Argument = str | bytes | int | float
Answer = object
"""What the script returned: integers, bytes, lists of them."""

Done = Callable[[Answer, RedisError | None], None]
"""Called once, with the script's answer or with the reason why there is none."""


class ScriptPipe(asyncio.Protocol):
    """Calls one script. Calls are executed and answered in the order in which they are made."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        writer: asyncio.StreamWriter,
        sha: bytes,
        patience: float,
        prefix: str,
    ) -> None:
        self._loop = loop
        self._writer = writer  # its end would close the connection
        self._sha = sha
        self._patience = patience
        self._prefix = prefix
        self._reader = hiredis.Reader()
        self._transport: asyncio.WriteTransport | None = writer.transport
        self._calls: deque[tuple[float, Done]] = deque()
        """The calls without an answer, each with its deadline."""
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    async def open(cls, redis: Redis, script: str, patience: float = SECONDS) -> Self:
        """Connect as `redis` does, and load the script. Raises RedisError, OSError.

        `patience` is how long a call may take, in seconds.
        """
        connection = cast(Connection, redis.connection_pool.make_connection())  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(SECONDS):
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command("SCRIPT", "LOAD", script)
                sha = await connection.read_response()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        writer = take_writer(connection)
        if writer is None or writer.transport.is_closing():
            raise RedisConnectionError("Redis closed the connection")
        pipe = cls(asyncio.get_running_loop(), writer, sha, patience, prefix_of(redis))
        writer.transport.set_protocol(pipe)
        return pipe

    @property
    def usable(self) -> bool:
        """Whether the next call may use it."""
        return self._transport is not None and not self._transport.is_closing()

    def call(self, keys: Sequence[str], arguments: Sequence[Argument], done: Done) -> None:
        """Call the script of a usable pipe; `done` is called once, unless this raises.

        After an error the pipe is not usable any more, unless the server refused only a write.
        Raises an error for an argument that cannot be sent, before anything is changed.
        """
        if self._transport is None:
            raise RuntimeError("the pipe is closed")
        if self._prefix:
            keys = [self._prefix + key for key in keys]
        command: tuple[Argument, ...] = ("EVALSHA", self._sha, len(keys), *keys, *arguments)
        packed = hiredis.pack_command(command)  # type: ignore[arg-type] # its stub
        self._calls.append((self._loop.time() + self._patience, done))
        if self._timer is None:
            self._timer = self._loop.call_later(self._patience, self._look)
        try:
            self._transport.write(packed)
        except Exception as error:  # noqa: BLE001 - all who wait hear of it
            self._break(RedisConnectionError(str(error)))

    def close(self) -> None:
        """Close the connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """Read answers, or a part of one. A fault ends the connection: the rest means nothing."""
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not False:
                if isinstance(answer, hiredis.PushNotification):
                    continue  # a push message, which RESP3 lets the server send at any time
                error = _error_of(answer) if isinstance(answer, Exception) else None
                if error is not None and not isinstance(error, WriteRefused):
                    self._break(error)
                    return
                if not self._calls:
                    continue
                _, done = self._calls.popleft()
                _tell(done, None if error is not None else answer, error)
        except hiredis.ProtocolError as fault:
            self._break(RedisConnectionError(str(fault)))

    def connection_lost(self, exc: Exception | None) -> None:
        """Redis has disconnected."""
        self._break(RedisConnectionError(str(exc or "Redis closed the connection")))

    def _look(self) -> None:
        """Give up if the oldest call is overdue: one timer for all costs less than one for each."""
        self._timer = None
        if not self._calls:
            return
        left = self._calls[0][0] - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._break(RedisTimeoutError("Redis did not answer in time"))

    def _break(self, error: RedisError) -> None:
        self.close()
        calls, self._calls = self._calls, deque()
        for _, done in calls:
            _tell(done, None, error)


def _tell(done: Done, answer: Answer, error: RedisError | None) -> None:
    """Call back; an error of one caller must not keep the others from their answers."""
    try:
        done(answer, error)
    except Exception:
        log.exception("redis.callback_failed")


def _error_of(answer: Exception) -> RedisError:
    return told_apart(str(answer)) or ResponseError(str(answer))
