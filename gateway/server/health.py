"""Whether the process lives, and whether it can serve."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from redis.exceptions import RedisError

from gateway.errors import GatewayError
from gateway.server.services import SERVICES, Services
from gateway.uploads import keys

_PATIENCE = 3.0
_SECONDS_BETWEEN_LOOKS = 2.0
_WRITTEN_SECONDS = 60
_READY = "ready"
_UNREADY = "unready"


@dataclass(slots=True)
class Readiness:
    """The last look at the parts. Looks go on by themselves: who asks costs them nothing."""

    faults: Mapping[str, str] | None = None
    """What is wrong, by the name of the part; None before the first look."""

    async def keep(self, services: Services) -> None:
        """Look again and again; never returns."""
        while True:
            self.faults = await _faults(services)
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)


READINESS = web.AppKey("readiness", Readiness)


async def healthz(_: web.Request) -> web.Response:
    """`GET /gateway/healthz`: the process lives."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """`GET /gateway/readyz`: upstream and store can be reached, Redis and broker take writes.

    Strangers may ask, and are not told what is wrong.
    """
    status = status_of(request.app)
    return web.json_response({"status": status}, status=200 if status == _READY else 503)


async def readiness(app: web.Application) -> web.Response:
    """The answer for operators about the application that clients reach: with what is wrong."""
    status = status_of(app)
    faults = {"faults": dict(app[READINESS].faults or {})} if status == _UNREADY else {}
    return web.json_response({"status": status, **faults}, status=200 if status == _READY else 503)


def status_of(app: web.Application) -> str:
    """Whether the application serves all that it promises."""
    if app[SERVICES].drain.draining:
        return "draining"
    return _READY if app[READINESS].faults == {} else _UNREADY


async def _faults(services: Services) -> Mapping[str, str]:
    backends = services.backends
    checks: Mapping[str, Awaitable[object]] = {
        "upstream": services.forwarder.reach(),
        "store": backends.store.ping(),
        "redis": backends.redis.set(keys.WRITTEN, b"", ex=_WRITTEN_SECONDS),
        "broker": asyncio.to_thread(backends.queue.check),
    }
    results = await asyncio.gather(*(_fault(check) for check in checks.values()))
    return {name: fault for name, fault in zip(checks, results, strict=True) if fault}


async def _fault(check: Awaitable[object]) -> str | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            await check
    except (GatewayError, RedisError, aiohttp.ClientError, OSError) as error:
        return str(error) or type(error).__name__
    return None
