"""Complete files without a record: kept for days, marked and counted, then abandoned.

Their record was lost, or their gateway died before it wrote one. The days count from the mark: a
file may be years old when its record is deleted by mistake.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from redis.exceptions import RedisError

from gateway.backends import Backends
from gateway.errors import ObjectNotFound
from gateway.records import orphans
from gateway.records.heartbeats import REMEMBERED_SECONDS, present_in_bucket, was_present
from gateway.records.spare import find_spare
from gateway.store.objects import ObjectInfo, ObjectStore
from gateway.telemetry import get_logger
from gateway.uploads import keys
from gateway.uploads.ids import parse_id
from gateway.uploads.record import abandoned

log = get_logger(__name__)

MOST_MARKED: Final = 500
"""Files that one pass marks: each costs some requests."""

MOST_REMOVED: Final = 100
"""Files that one pass abandons. More are only logged, so an operator can find out why."""


@dataclass(slots=True)
class Orphans:
    """What a pass did with the orphans that it found."""

    backends: Backends
    marked: int = 0
    removed: int = 0
    left: int = 0

    async def found(self, upload_id: str, marked: ObjectInfo | None) -> None:
        """Mark an orphan, or abandon it if it was marked long ago. Raises StoreUnavailable."""
        if marked is None:
            await self._mark(upload_id)
        elif marked.age > self.backends.settings.orphan_retention:
            await self._give_up(upload_id)

    def report(self) -> None:
        """Log what an operator should know."""
        if self.marked:
            log.warning("sweep.orphans", count=self.marked)
        if self.left:
            log.warning("sweep.orphans_left", count=self.left)

    async def _mark(self, upload_id: str) -> None:
        if self.marked == MOST_MARKED:
            return
        # A record that moved to `records/` in the meantime was seen at neither place.
        if await _has_record(self.backends.store, upload_id):
            return
        if await _is_received(self.backends, upload_id):
            return
        accepted = await _was_accepted(self.backends, upload_id)
        await orphans.mark(self.backends.store, upload_id, accepted=accepted)
        self.marked += 1

    async def _give_up(self, upload_id: str) -> None:
        if self.removed == MOST_REMOVED:
            self.left += 1
            return
        if await _has_record(self.backends.store, upload_id):
            return
        if await _is_received(self.backends, upload_id):
            return
        if parse_id(upload_id) is None:  # no upload of ours
            await self.backends.ledger.forget_file(upload_id)
        elif not await self.backends.ledger.fence(abandoned(upload_id, datetime.now(UTC))):
            return
        log.info("sweep.removed", upload_id=upload_id)
        self.removed += 1


async def _has_record(store: ObjectStore, upload_id: str) -> bool:
    """Whether the upload has a record, or a session that will give it one."""
    for key in (keys.pending(upload_id), keys.record(upload_id), keys.session(upload_id)):
        with suppress(ObjectNotFound):
            await store.head(key)
            return True
    return False


async def _is_received(backends: Backends, upload_id: str) -> bool:
    """Whether a process is known to be receiving the upload: a fence would refuse it to its client.

    Of several parts a file may be as old as the first of them, and stores may be slow.
    """
    try:
        if await was_present(backends.redis, upload_id):
            return True
    except (RedisError, OSError) as error:
        log.warning("sweep.redis_unavailable", error=repr(error))
    return upload_id in await present_in_bucket(backends.store, within=REMEMBERED_SECONDS)


async def _was_accepted(backends: Backends, upload_id: str) -> bool:
    """Whether Redis remembers the upload as accepted."""
    try:
        spare = await find_spare(backends.store, backends.ring, upload_id)
        return spare is not None and await orphans.is_remembered(backends.redis, spare)
    except ObjectNotFound:
        return False
    except (RedisError, OSError) as error:
        log.warning("sweep.redis_unavailable", error=repr(error))
        return False
