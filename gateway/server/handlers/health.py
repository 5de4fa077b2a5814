"""Whether the process lives, and whether it can serve."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from redis.exceptions import RedisError

from gateway.descriptors import ran_out
from gateway.errors import GatewayError
from gateway.server.services import SERVICES, Services
from gateway.uploads import keys

_PATIENCE = 3.0
_BELIEVED_SECONDS = 1.0
_WRITTEN_SECONDS = 60
_READY = "ready"


@dataclass(slots=True)
class Readiness:
    """The last check of all parts, cached for a second."""

    at: float = float("-inf")
    faults: Mapping[str, str] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self, services: Services) -> Mapping[str, str]:
        """The faults, by the name of the part; empty if the gateway can serve."""
        async with self.lock:
            if time.monotonic() - self.at > _BELIEVED_SECONDS:
                self.faults = await _faults(services)
                self.at = time.monotonic()
        return self.faults


READINESS = web.AppKey("readiness", Readiness)


async def healthz(_: web.Request) -> web.Response:
    """`GET /gateway/healthz`: the process lives."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """`GET /gateway/readyz`: upstream and store are reachable, Redis and broker accept writes.

    Anyone may ask, so the answer does not say what is wrong.
    """
    answer = await state_of(request.app)
    answer.pop("faults", None)
    return _response(answer)


async def readiness(app: web.Application) -> web.Response:
    """The answer for operators about the application that clients reach: with what is wrong."""
    return _response(await state_of(app))


async def state_of(app: web.Application) -> dict[str, object]:
    """Whether the application that clients reach can serve, with what is wrong."""
    if app[SERVICES].drain.draining:
        return {"status": "draining"}
    if faults := await app[READINESS].look(app[SERVICES]):
        return {"status": "unready", "faults": dict(faults)}
    return {"status": _READY}


def _response(state: Mapping[str, object]) -> web.Response:
    return web.json_response(state, status=200 if state["status"] == _READY else 503)


async def _reach_upstream(services: Services) -> None:
    """Connect, but send nothing: a check must cost the upstream no request."""
    (await services.relays.pool.connect()).end(reusable=False)


async def _reach_store(services: Services) -> None:
    await services.fitness.reject_unfit()
    await services.backends.store.ping()


async def _faults(services: Services) -> Mapping[str, str]:
    backends = services.backends
    checks: Mapping[str, Awaitable[object]] = {
        "upstream": _reach_upstream(services),
        "store": _reach_store(services),
        "redis": backends.redis.set(keys.WRITTEN, b"", ex=_WRITTEN_SECONDS),
        "broker": asyncio.to_thread(backends.queue.check),
    }
    results = await asyncio.gather(*(_fault(check) for check in checks.values()))
    return {name: fault for name, fault in zip(checks, results, strict=True) if fault}


async def _fault(check: Awaitable[object]) -> str | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            await check
    except (GatewayError, RedisError, OSError) as error:
        if ran_out(error):
            return "no file descriptor is free to check it"
        return str(error) or type(error).__name__
    return None
