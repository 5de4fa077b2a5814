"""Whether the gateway is ready, what waits, and who works at it."""

import asyncio
import time
from contextlib import aclosing
from importlib.metadata import version
from typing import Final

import msgspec
from aiohttp import web
from redis.exceptions import RedisError

from gateway import kept
from gateway.agreement import running
from gateway.backends import Backends
from gateway.errors import GatewayError, ObjectNotFound
from gateway.records import backlog_snapshot
from gateway.server.handlers.health import state_of
from gateway.server.services import SERVICES
from gateway.store.objects import ObjectStore
from gateway.uploads import keys
from gateway.uploads.ids import created_at, parse_id

_LISTED: Final = 1_000
_PATIENCE: Final = 5.0
_KINDS: Final = {
    "pending": keys.PENDING,
    "sessions": keys.SESSIONS,
    "removals": keys.REMOVALS,
    "orphans": keys.ORPHANS,
    "dead": keys.DEAD,
}


class _Lease(msgspec.Struct, frozen=True):
    """What a sweeper's lease says: its holder, and the seconds for which it holds it."""

    holder: str
    seconds: float


_decoder = msgspec.json.Decoder(_Lease)


async def status(app: web.Application) -> dict[str, object]:
    """The state of everything; what cannot be found out is None, and `faults` say why."""
    backends = app[SERVICES].backends
    state, backlog, sweeper, breaker, found, processes = await asyncio.gather(
        state_of(app),
        _backlog(backends.store),
        _sweeper(backends.store),
        backends.breaker.is_open(),
        backlog_snapshot.look(backends.redis),
        _processes(backends),
    )
    return {
        **state,
        "version": version("chatkitty-gateway"),
        "at": time.time(),
        "breakerOpen": breaker,
        "backlog": backlog,
        "sweeper": sweeper,
        "lastSweep": found.at if found is not None else None,
        "queued": dict(found.queued) if found is not None else None,
        "processes": processes,
        "sweepInterval": backends.settings.sweep_interval,
        "showsSubjects": backends.settings.admin_show_subjects,
    }


async def _backlog(store: ObjectStore) -> list[dict[str, object]] | None:
    """How many of each kind wait, as far as one listing shows, and the age of the oldest."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await asyncio.gather(
                *(_waiting(store, kind, prefix) for kind, prefix in _KINDS.items())
            )
    except (GatewayError, TimeoutError):
        return None


async def _waiting(store: ObjectStore, kind: str, prefix: str) -> dict[str, object]:
    count, oldest = 0, None
    async with aclosing(store.list(prefix)) as listing:
        async for info in listing:
            name = info.key[len(prefix) :]
            if parse_id(name) is None:
                continue
            oldest = created_at(name) if oldest is None else oldest
            count += 1
            if count == _LISTED:
                break
    return {"kind": kind, "count": count, "more": count == _LISTED, "oldest": oldest}


async def _sweeper(store: ObjectStore) -> dict[str, object] | None:
    """Whether a sweeper has the lease, and how long ago it was written."""
    try:
        async with asyncio.timeout(_PATIENCE):
            document = await store.get(keys.SWEEP)
        lease = kept.read(_decoder, document.content)
    except (ObjectNotFound, msgspec.MsgspecError):
        return {"working": False, "age": None}
    except (GatewayError, TimeoutError):
        return None
    return {"working": document.age < lease.seconds, "age": document.age}


async def _processes(backends: Backends) -> list[dict[str, str]] | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await running(backends.redis)
    except (RedisError, OSError):
        return None
    return [{"role": each.role, "name": each.name} for each in found]
