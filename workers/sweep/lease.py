"""One sweeper at a time, by an object in the bucket that outlives Redis; its memory, too."""

import time
from typing import Final
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from gateway import kept
from gateway.errors import ObjectNotFound, PreconditionFailed
from gateway.records.backlog_snapshot import Count
from gateway.store.objects import ObjectStore, Written
from gateway.uploads import keys

LEASE_SECONDS: Final = 40.0
"""Seconds, by the store's clock, after which a lease that was not renewed is free.

Two sweepers at a time do no harm, so it is short: work waits for it after a sweeper was killed.
"""

_RENEW_SECONDS: Final = 10.0


class LeaseLost(Exception):
    """Another sweeper has taken over."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The holder of the lease, its duration in seconds, and how far the passes have come.

    `counting` is what the walk has counted since it last began, `counted` what it did before.
    """

    holder: str
    seconds: float
    pending: str | None = None
    removals: str | None = None
    messages: str | None = None
    walk: str | None = None
    fresh: str | None = None
    claims: str | None = None
    sessions: str | None = None
    tails: str | None = None
    counting: Count | None = None
    counted: Count | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Memory)


class Lease:
    """The lease that this process holds; `memory` is for the next holder."""

    def __init__(self, store: ObjectStore, memory: Memory, written: Written) -> None:
        """Hold the lease that was written so."""
        self._store = store
        self._written = written
        self._renewed = time.monotonic()
        self.memory = memory

    def store_time(self) -> float:
        """The store's time in seconds since the epoch, without fractions."""
        return self._written.at + time.monotonic() - self._renewed

    async def renew(self) -> None:
        """Renew the lease, if it is time. Raises LeaseLost, StoreUnavailable."""
        if time.monotonic() - self._renewed > _RENEW_SECONDS:
            await self._write()

    async def release(self) -> None:
        """Give the lease back. Raises LeaseLost, StoreUnavailable."""
        self.memory = replace(self.memory, seconds=0.0)
        await self._write()

    async def _write(self) -> None:
        document = _encoder.encode(self.memory)
        try:
            self._written = await self._store.put(keys.SWEEP, document, if_match=self._written.etag)
        except PreconditionFailed:
            raise LeaseLost from None
        self._renewed = time.monotonic()


async def take(store: ObjectStore, rest: float) -> Lease | None:
    """The lease, or None if another sweeper has it. Raises StoreUnavailable.

    No sweeper gets it within `rest` seconds after a pass: beats of several schedulers, or of a time
    without workers, are no reason for several passes.
    """
    memory = Memory(holder=str(uuid4()), seconds=LEASE_SECONDS)
    try:
        document = await store.get(keys.SWEEP)
    except ObjectNotFound:
        document = None
    try:
        if document is None:
            written = await store.put(keys.SWEEP, _encoder.encode(memory), if_none_match=True)
            return Lease(store, memory, written)
        before = _memory(document.content)
        if document.age < (before.seconds or rest):
            return None
        memory = replace(before, holder=memory.holder, seconds=LEASE_SECONDS)
        written = await store.put(keys.SWEEP, _encoder.encode(memory), if_match=document.etag)
    except PreconditionFailed:
        return None
    return Lease(store, memory, written)


def _memory(document: bytes) -> Memory:
    """What the last holder knew; the memory of another version is ignored."""
    try:
        return kept.read(_decoder, document)
    except msgspec.MsgspecError:
        return Memory(holder="", seconds=0.0)
