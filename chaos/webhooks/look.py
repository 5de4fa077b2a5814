"""Collects what the bucket has: how uploads have ended, and which messages are not sent yet."""

import asyncio
import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from chaos.look import UNAVAILABLE, each_of, open_store
from chaos.settle import CannotLook
from chaos.stack import Told
from chaos.webhooks.audit import Facts
from gateway.errors import ObjectNotFound
from gateway.store.s3 import S3Store
from gateway.uploads import keys

PATIENCE: Final = 240.0
_SOON = 45.0
"""Seconds within which a message is waited for; a later one has time pass faster."""

_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Left:
    """What is not done yet; `far`: messages that no worker sends for a while, with their tries."""

    uploads: int
    messages: Collection[str]
    far: dict[str, int] = field(default_factory=dict)

    @property
    def is_calm(self) -> bool:
        """Whether nothing changes for a while."""
        return self.uploads == 0 and len(self.messages) == len(self.far)


class Lookout:
    """Looks into the bucket and the Redis of a running stack, through waits of its own."""

    def __init__(self, told: Told, say: Callable[[str], None]) -> None:
        self._told = told
        self._say = say

    async def calm(self) -> Left:
        """Wait until all uploads have ended, and nothing is sent for a while."""
        return await self._until(lambda left: left.is_calm)

    async def done(self) -> Left:
        """Wait until no message waits any more; returns what is left if some do for good."""
        return await self._until(lambda left: not left.messages and left.uploads == 0)

    async def facts(self, acknowledged: Collection[str]) -> Facts:
        """What the bucket has. Raises one of UNAVAILABLE."""
        async with open_store(self._told) as store:
            ids = [keys.id_of(info.key) async for info in store.list(keys.RECORDS)]

            async def history_of(upload_id: str) -> tuple[str, ...]:
                document = json.loads((await store.get(keys.record(upload_id))).content)
                return tuple(step["state"] for step in document["history"])

            return Facts(
                histories=await each_of(ids, history_of),
                acknowledged=acknowledged,
                waiting=await _names(store, keys.OUTBOX),
                dead=await _names(store, keys.dead_messages()),
            )

    async def dead(self) -> list[str]:
        """The messages that were given up. Raises one of UNAVAILABLE."""
        async with open_store(self._told) as store:
            return await _names(store, keys.dead_messages())

    async def _until(self, is_reached: Callable[[Left], bool]) -> Left:
        """What is left when that is reached, or when patience is over."""
        started = time.monotonic()
        left = None
        while True:
            try:
                left = await self._look()
            except (*UNAVAILABLE, RedisError) as error:
                if left is None and time.monotonic() - started > PATIENCE:
                    raise CannotLook(f"a part stays away: {error!r}") from error
            else:
                if is_reached(left):
                    return left
                self._say(
                    f"{time.monotonic() - started:6.1f} s  settling: {left.uploads} uploads,"
                    f" {len(left.messages)} messages, {len(left.far)} of them not soon"
                )
            if left is not None and time.monotonic() - started > PATIENCE:
                return left
            await asyncio.sleep(_PAUSE)

    async def _look(self) -> Left:
        async with open_store(self._told) as store:
            uploads = len(await _names(store, keys.PENDING)) + len(
                await _names(store, keys.SESSIONS)
            )
            messages = await _names(store, keys.OUTBOX)
            far: dict[str, int] = {}

            async def look(name: str) -> None:
                tries = await _tries_if_far(store, name)
                if tries:
                    far[name] = tries

            await each_of(messages, look)
        async with Redis.from_url(self._told.redis) as redis:
            uploads += int(await redis.zcard(keys.RELAYED_SET))
        return Left(uploads, messages, far)


async def _names(store: S3Store, prefix: str) -> list[str]:
    return [info.key.removeprefix(prefix) async for info in store.list(prefix)]


async def _tries_if_far(store: S3Store, name: str) -> int:
    """How often a message was tried that is sent to no endpoint soon; else 0."""
    try:
        document = await store.get(keys.message(name))
    except ObjectNotFound:
        return 0
    standings: list[dict[str, Any]] = [
        each
        for each in json.loads(document.content)["endpoints"].values()
        if each.get("over") is None
    ]
    if any(each.get("pause", 0.0) - document.age < _SOON for each in standings):
        return 0
    return max((int(each.get("attempts", 0)) for each in standings), default=0)
