"""Each part that the gateway depends on, as it would use it, and what to mend. One line each."""

from collections.abc import Awaitable, Callable, Mapping

from redis.exceptions import RedisError

from gateway.errors import ConfigurationError, GatewayError, PreconditionFailed
from gateway.routes import RouteTable
from gateway.settings import Settings
from gateway.store.objects import ObjectStore
from gateway.uploads.backends import Backends, open_backends

_PROBE = "doctor/probe"


async def examine(settings: Settings, say: Callable[[str], None]) -> int:
    """Say of each part whether it works; returns the exit status, 0 where all do."""
    faults = 0
    try:
        RouteTable(settings)
    except ConfigurationError as error:
        faults += 1
        say(f"routes: {error}")
    async with open_backends(settings) as backends:
        for name, check in _checks(backends).items():
            fault = await _fault(check)
            faults += fault is not None
            say(f"{name}: {fault or 'ok'}")
    for line in _advice(settings):
        say(f"advice: {line}")
    return 1 if faults else 0


def _checks(backends: Backends) -> Mapping[str, Callable[[], Awaitable[object]]]:
    async def store() -> None:
        etag = await backends.store.put(_PROBE, b"probe")
        await backends.store.head(_PROBE)
        await _check_conditions(backends.store, etag)
        await backends.store.delete(_PROBE)

    async def redis() -> None:
        await backends.redis.ping()

    async def broker() -> None:
        backends.queue.check()

    async def upstream() -> None:
        if backends.own_token is None:
            return
        authorization = await backends.own_token.authorization()
        if await backends.chatkitty.whoami(authorization) is None:
            raise ConfigurationError("ChatKitty does not accept the gateway's own token")

    return {"store": store, "redis": redis, "broker": broker, "upstream": upstream}


async def _check_conditions(store: ObjectStore, etag: str) -> None:
    """Acceptances and leases are conditional writes. Raises ConfigurationError without them."""
    await store.put(_PROBE, b"another", if_match=etag)
    for write in (
        store.put(_PROBE, b"again", if_none_match=True),
        store.put(_PROBE, b"again", if_match=etag),
    ):
        try:
            await write
        except PreconditionFailed:
            continue
        raise ConfigurationError("the store ignores If-Match or If-None-Match: use another one")


def _advice(settings: Settings) -> list[str]:
    advice = []
    if settings.upstream_client_id is None:
        advice.append(
            "set GATEWAY_UPSTREAM_CLIENT_ID and _SECRET: without them an upload is registered with"
            " its caller's token, which may end before the retries do"
        )
    if str(settings.public_url).startswith("http:"):
        advice.append("set GATEWAY_PUBLIC_URL to the https URL that clients reach")
    return advice


async def _fault(check: Callable[[], Awaitable[object]]) -> str | None:
    try:
        await check()
    except (GatewayError, RedisError, OSError) as error:
        return str(error) or type(error).__name__
    return None
