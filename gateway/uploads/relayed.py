"""Records of relayed uploads on their way into Redis: many at a time, in one round trip.

Uploads that end within the same moment share the trip; each is told when its own record is there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.redis.replies import WrongServer
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.record import Upload, pack
from gateway.uploads.script_pipe import Argument, ScriptPipe

log = get_logger(__name__)

_GATHER_SECONDS: Final = 0.001
_LARGEST_BATCH: Final = 100
INDEX_LIMIT: Final = 10_000
"""Uploads of one subject that its index knows; older ones leave it."""

# One script is one command to write and one answer to read, however many records it holds.
_KEEP: Final = """
local retention, limit = ARGV[1], ARGV[2]
local now = redis.call('TIME')[1]
for upload = 1, (#KEYS - 1) / 2 do
    local record, index = KEYS[2 * upload], KEYS[2 * upload + 1]
    local id, document = ARGV[2 * upload + 1], ARGV[2 * upload + 2]
    redis.call('SET', record, document, 'EX', retention)
    redis.call('ZADD', KEYS[1], now, id)
    redis.call('ZADD', index, 0, id)
    redis.call('ZREMRANGEBYRANK', index, 0, -limit - 1)
    redis.call('EXPIRE', index, retention)
end
"""

Kept = Callable[[Exception | None], None]
"""Told once: the record is durable, or why it is not."""

Fallback = Callable[[Upload], Awaitable[None]]


class _Waiting(msgspec.Struct, frozen=True):
    upload: Upload
    kept: Kept


class RelayedRecords:
    """Writes records to Redis in batches, and elsewhere where Redis does not take them."""

    def __init__(self, redis: Redis, retention: int, fallback: Fallback) -> None:
        """Keep each for `retention` seconds."""
        self._redis = redis
        self._retention = retention
        self._fallback = fallback
        self._waiting: list[_Waiting] = []
        self._company = 1
        self._pipe: ScriptPipe | None = None
        self._writing = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def keep(self, upload: Upload, company: int, kept: Kept) -> None:
        """Have the record kept; `company` uploads, this one among them, may share the trip.

        Where all of them wait already, nobody else is waited for.
        """
        self._waiting.append(_Waiting(upload, kept))
        self._company = company
        if not self._writing:
            self._write_soon()

    def close(self) -> None:
        """Let the connection go."""
        if self._pipe is not None:
            self._pipe.close()

    def _write_soon(self) -> None:
        if len(self._waiting) >= min(self._company, _LARGEST_BATCH):
            self._write()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._write)

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch = self._waiting[:_LARGEST_BATCH]
        del self._waiting[:_LARGEST_BATCH]
        self._writing = True
        if self._pipe is not None and self._pipe.usable:
            self._call(self._pipe, batch)
        else:
            self._start(self._connect_and_call(batch))

    async def _connect_and_call(self, batch: list[_Waiting], *, last: bool = False) -> None:
        try:
            self._pipe = await ScriptPipe.open(self._redis, _KEEP)
        except (RedisError, OSError) as error:
            self._written(batch, error)
        else:
            self._call(self._pipe, batch, last=last)

    def _call(self, pipe: ScriptPipe, batch: list[_Waiting], *, last: bool = False) -> None:
        names = [keys.RELAYED_SET]
        values: list[Argument] = [self._retention, INDEX_LIMIT]
        for upload in [each.upload for each in batch]:
            names += (keys.relayed(upload.id), keys.of_subject(upload.subject))
            values += (upload.id, pack(upload))
        pipe.call(names, values, lambda _, error: self._written(batch, error, last=last))

    def _written(
        self, batch: list[_Waiting], error: Exception | None, *, last: bool = True
    ) -> None:
        if isinstance(error, WrongServer) and not last:
            self._start(self._connect_and_call(batch, last=True))
            return
        self._writing = False
        if error is not None:
            log.warning("record.redis_unavailable", error=repr(error))
            self._start(self._keep_elsewhere(batch))
        else:
            for each in batch:
                each.kept(None)
        if self._waiting and not self._writing:
            self._write_soon()

    async def _keep_elsewhere(self, batch: list[_Waiting]) -> None:
        async with asyncio.TaskGroup() as group:
            for each in batch:
                group.create_task(self._keep_one_elsewhere(each))

    async def _keep_one_elsewhere(self, waiting: _Waiting) -> None:
        try:
            await self._fallback(waiting.upload)
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            waiting.kept(error)
        else:
            waiting.kept(None)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
