"""Records of relayed uploads on their way into Redis: many at a time, in one round trip.

Uploads that end within the same moment share the trip; each is notified when its own record is
stored, or has failed. A record that fails does not block the ones after it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from redis.asyncio import Redis

from gateway.errors import RecordNotKept
from gateway.redis.replies import WrongServer
from gateway.redis.script_pipe import Argument, ScriptPipe
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.record import Upload, pack

log = get_logger(__name__)

_GATHER_SECONDS: Final = 0.001
_LARGEST_BATCH: Final = 100
_ELSEWHERE_SECONDS: Final = 10.0
"""The longest that the fallback may take."""

KEPT_SECONDS: Final = 30.0
"""`on_kept` is called at most this long after `keep`: the batch before and the record's own may
wait for two servers each, and then for the fallback.
"""

INDEX_LIMIT: Final = 10_000
"""The most uploads in the index of one subject; older ones leave it."""

# One script is one command to write and one answer to read, for any number of records. Values that
# all records share are part of the script: each argument costs as much as a line of Python.
_KEEP: Final = """
local retention, limit = %d, %d
local now = redis.call('TIME')[1]
for upload = 1, (#KEYS - 1) / 2 do
    local record, index = KEYS[2 * upload], KEYS[2 * upload + 1]
    local id, document = ARGV[2 * upload - 1], ARGV[2 * upload]
    redis.call('SET', record, document, 'EX', retention)
    redis.call('ZADD', KEYS[1], now, id)
    redis.call('ZADD', index, 0, id)
    redis.call('ZREMRANGEBYRANK', index, 0, -limit - 1)
    redis.call('EXPIRE', index, retention)
    redis.call('PUBLISH', index, id)
end
"""

OnKept = Callable[[Exception | None], None]
"""Called once, perhaps at once: with None if the record is durable, else with the error."""

Fallback = Callable[[Upload], Awaitable[None]]


class _Waiting(msgspec.Struct, frozen=True):
    upload: Upload
    document: bytes
    on_kept: OnKept


class RelayedRecords:
    """Writes records to Redis in batches, and to the fallback if Redis does not accept them."""

    def __init__(self, redis: Redis, retention: int, fallback: Fallback) -> None:
        """Keep each record for `retention` seconds."""
        self._redis = redis
        self._script = _KEEP % (retention, INDEX_LIMIT)
        self._fallback = fallback
        self._waiting: list[_Waiting] = []
        self._concurrent = 1
        self._pipe: ScriptPipe | None = None
        self._writing = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def keep(self, upload: Upload, concurrent: int, on_kept: OnKept) -> None:
        """Keep the record; `concurrent` uploads, including this one, may share the trip.

        If all of them already wait, the trip begins at once.
        """
        try:
            document = pack(upload)
        except Exception as error:  # this record is at fault: it must not fail the others
            log.exception("record.not_packed", upload_id=upload.id)
            on_kept(not_kept(error))
            return
        self._waiting.append(_Waiting(upload, document, on_kept))
        self._concurrent = concurrent
        if not self._writing:
            self._write_soon()

    def close(self) -> None:
        """Close the connection."""
        if self._pipe is not None:
            self._pipe.close()

    def _write_soon(self) -> None:
        if len(self._waiting) >= min(self._concurrent, _LARGEST_BATCH):
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
            self._pipe = await ScriptPipe.open(self._redis, self._script)
        except Exception as error:  # noqa: BLE001 - redis-py has more of them than its own
            self._written(batch, error)
        else:
            self._call(self._pipe, batch, last=last)

    def _call(self, pipe: ScriptPipe, batch: list[_Waiting], *, last: bool = False) -> None:
        names = [keys.RELAYED_SET]
        values: list[Argument] = []
        for each in batch:
            upload = each.upload
            names += (keys.relayed(upload.id), keys.of_subject(upload.subject))
            values += (upload.id, each.document)
        try:
            pipe.call(names, values, lambda _, error: self._written(batch, error, last=last))
        except Exception as error:  # noqa: BLE001 - it was not called
            self._written(batch, error)

    def _written(
        self, batch: list[_Waiting], error: Exception | None, *, last: bool = True
    ) -> None:
        if isinstance(error, WrongServer) and not last:
            self._start(self._connect_and_call(batch, last=True))
            return
        self._writing = False
        if error is not None:
            log.warning("record.redis_unavailable", error=repr(error))
            # Those that arrived in the meantime would wait for the same failure, for as long.
            batch = batch + self._waiting
            self._waiting.clear()
            self._start(self._keep_elsewhere(batch))
            return
        for each in batch:
            _tell(each, None)
        if self._waiting and not self._writing:
            self._write_soon()

    async def _keep_elsewhere(self, batch: list[_Waiting]) -> None:
        async with asyncio.TaskGroup() as group:
            for each in batch:
                group.create_task(self._keep_one_elsewhere(each))

    async def _keep_one_elsewhere(self, waiting: _Waiting) -> None:
        try:
            async with asyncio.timeout(_ELSEWHERE_SECONDS):
                await self._fallback(waiting.upload)
        except Exception as error:  # noqa: BLE001 - the caller hears of it
            _tell(waiting, not_kept(error))
        else:
            _tell(waiting, None)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def not_kept(cause: Exception | None = None) -> RecordNotKept:
    """The error for a record that neither Redis nor the fallback has accepted."""
    error = RecordNotKept(
        "ChatKitty answered, but the upload's record could not be kept", outcome_unknown=True
    )
    error.__cause__ = cause
    return error


def _tell(waiting: _Waiting, error: Exception | None) -> None:
    """Notify a caller; what the caller does must not stop the others from being notified."""
    try:
        waiting.on_kept(error)
    except Exception:
        log.exception("record.callback_failed", upload_id=waiting.upload.id)
