"""How many uploads in several requests each subject has open.

Redis counts them, so that a creation costs the store no request. Before one is refused, what Redis
counts is compared with the bucket: an upload that has ended in any way does not count.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.errors import QuotaExceeded
from gateway.resumable.sessions import Sessions
from gateway.telemetry import get_logger
from gateway.uploads import keys

log = get_logger(__name__)

_FULL_MS: Final = 2000
"""Milliseconds for which a subject that has too many is refused without another look."""

_MARGIN: Final = 3600
"""Seconds for which Redis counts a session beyond its expiry."""

_AT_ONCE: Final = 8

_ADD: Final = """
redis.call('ZADD', KEYS[1], 0, ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""
# All of one score: sorted by id, which is by time.


class OpenSessions:
    """Refuses a subject more than `most` open sessions at a time."""

    def __init__(self, redis: Redis, sessions: Sessions, most: int, resume_for: float) -> None:
        """Count sessions that expire `resume_for` seconds after their last request."""
        self._redis = redis
        self._sessions = sessions
        self._most = most
        self._kept_for = int(resume_for) + _MARGIN

    async def check(self, subject: str) -> None:
        """Raises QuotaExceeded if the subject had too many a moment ago."""
        _, full = keys.sessions_of(subject)
        try:
            is_full = bool(await self._redis.exists(full))
        except (RedisError, OSError) as error:
            log.warning("session.not_counted", error=repr(error))
            return
        if is_full:
            raise self._refusal()

    async def admit(self, subject: str, upload_id: str) -> None:
        """Count a session that was begun now.

        Raises QuotaExceeded if it is one too many; then it is removed. Raises StoreUnavailable.
        """
        try:
            if await self.note(subject, upload_id) <= self._most:
                return
            if await self._still_open(subject) <= self._most:
                return
            place, full = keys.sessions_of(subject)
            await self._redis.zrem(place, upload_id)
            await self._redis.set(full, "", px=_FULL_MS)
        except (RedisError, OSError) as error:
            log.warning("session.not_counted", error=repr(error))
            return
        await self._sessions.remove(upload_id)
        raise self._refusal()

    async def note(self, subject: str, upload_id: str) -> int:
        """Count a session, also one that Redis has forgotten; returns how many are counted.

        Raises RedisError, OSError.
        """
        place, _ = keys.sessions_of(subject)
        return cast(int, await self._redis.eval(_ADD, 1, place, upload_id, self._kept_for))

    async def _still_open(self, subject: str) -> int:
        """How many of the counted sessions are in the bucket; the others do not count any more."""
        place, _ = keys.sessions_of(subject)
        members = cast(list[bytes], await self._redis.zrange(place, 0, -1))
        counted = [member.decode() for member in members]
        ended: list[str] = []
        for start in range(0, len(counted), _AT_ONCE):
            ended += await self._ended(counted[start : start + _AT_ONCE])
        if ended:
            await self._redis.zrem(place, *ended)
        return len(counted) - len(ended)

    async def _ended(self, upload_ids: Sequence[str]) -> list[str]:
        there = await asyncio.gather(*map(self._sessions.has, upload_ids))
        return [each for each, is_there in zip(upload_ids, there, strict=True) if not is_there]

    def _refusal(self) -> QuotaExceeded:
        detail = (
            f"you already have {self._most} uploads in several requests open, your limit:"
            " complete or delete one of them"
        )
        return QuotaExceeded(detail, _FULL_MS / 1000, ("gateway-sessions",), {})
