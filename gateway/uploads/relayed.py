"""Records of relayed uploads on their way into Redis: many at a time, in one round trip.

Uploads that end within the same moment share the trip; each waits for its own record to be there.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from gateway.uploads import keys
from gateway.uploads.record import Upload, to_json

_GATHER_SECONDS: Final = 0.001
_LARGEST_BATCH: Final = 100
INDEX_LIMIT: Final = 10_000
"""Uploads of one subject that its index knows; older ones leave it."""

# One script is one command to write and one answer to read, however many records it holds.
_KEEP: Final = """
local retention, limit = ARGV[1], ARGV[2]
for upload = 1, (#KEYS - 1) / 2 do
    local record, index = KEYS[2 * upload], KEYS[2 * upload + 1]
    local id, document, at = ARGV[3 * upload], ARGV[3 * upload + 1], ARGV[3 * upload + 2]
    redis.call('SET', record, document, 'EX', retention)
    redis.call('ZADD', KEYS[1], at, id)
    redis.call('ZADD', index, 0, id)
    redis.call('ZREMRANGEBYRANK', index, 0, -limit - 1)
    redis.call('EXPIRE', index, retention)
end
"""


@dataclass(frozen=True, slots=True)
class _Waiting:
    upload: Upload
    kept: asyncio.Future[None]


class RelayedRecords:
    """Writes records to Redis in batches."""

    def __init__(self, redis: Redis, retention: int) -> None:
        """Keep each for `retention` seconds."""
        self._retention = retention
        self._script = redis.register_script(_KEEP)
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, upload: Upload) -> None:
        """Return when Redis has the record. Raises RedisError, OSError."""
        loop = asyncio.get_running_loop()
        kept = loop.create_future()
        self._waiting.append(_Waiting(upload, kept))
        if self._writer is None:
            self._writer = loop.create_task(self._write_all())
        await kept

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_GATHER_SECONDS)
                batch = self._waiting[:_LARGEST_BATCH]
                del self._waiting[:_LARGEST_BATCH]
                await self._write(batch)
        finally:
            self._writer = None

    async def _write(self, batch: list[_Waiting]) -> None:
        try:
            await self._script(*_arguments([each.upload for each in batch], self._retention))
        except Exception as error:  # noqa: BLE001 - every one that waits is told
            for each in batch:
                if not each.kept.done():
                    each.kept.set_exception(error)
            return
        for each in batch:
            if not each.kept.done():
                each.kept.set_result(None)


def _arguments(
    uploads: list[Upload], retention: int
) -> tuple[list[str], list[str | bytes | float]]:
    names = [keys.RELAYED_SET]
    values: list[str | bytes | float] = [retention, INDEX_LIMIT]
    for upload in uploads:
        names += (keys.relayed(upload.id), keys.of_subject(upload.subject))
        values += (upload.id, to_json(upload), upload.since.timestamp())
    return names, values
